#!/usr/bin/env bash
# Builds the functions and deploys infra/template.yaml, to AWS or to an emulator. Run again, it changes what changed.
#
#   SOP_AWS_ENDPOINT       an emulator to deploy to; unset: AWS, with the credentials that the AWS CLI finds
#   SOP_STACK              name of the stack, default sopwith
#   SOP_ARCH               arm64 or x86_64; default arm64 on AWS, this machine's on an emulator
#   SOP_DEPLOY_BUCKET      bucket for the packages; default sopwith-deploy-<account>-<region>, made when missing
#   SOP_DEPLOY_PARAMETERS  more parameters of the template: "Name=value Name=value"
#   SOP_TEMPLATE           the template, default infra/template.yaml
#   SOP_SKIP_BUILD=1       deploy what is built already
#   SOP_LAMBDA_PROFILE     cargo profile to build with, default lambda (small and slow to build)
#   SOP_LAMBDA_DIR         where the built functions are, default <target>/lambda
#   SOP_VENV               Python environment with the tools, default target/venv (`make setup`)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${SOP_VENV:-$root/target/venv}
stack=${SOP_STACK:-sopwith}
endpoint=${SOP_AWS_ENDPOINT:-}
lambda_dir=${SOP_LAMBDA_DIR:-${CARGO_TARGET_DIR:-$root/target}/lambda}
profile=${SOP_LAMBDA_PROFILE:-lambda}
functions=(webhook mqtt cron peripheral eventbridge dispatcher executor api)

say() { printf '%s\n' "$*" >&2; }
fail() { say "deploy: $*"; exit 1; }

aws() { "$venv/bin/aws" ${endpoint:+--endpoint-url "$endpoint"} "$@"; }

[ -x "$venv/bin/aws" ] || fail "no AWS CLI in $venv: run \`make setup\`, or set SOP_VENV"
# Zig links for the other architecture; it comes with cargo-lambda's environment.
export PATH="$venv/bin:$PATH"

settings=()
if [ -n "$endpoint" ]; then
  # The variable for the uploads of `package`, which ignore the option; the option for all that ignores the variable.
  export AWS_ENDPOINT_URL=$endpoint AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-test}
  export AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-test} AWS_DEFAULT_REGION=${AWS_DEFAULT_REGION:-us-east-1}
  # What an emulator holds is there to be thrown away, and it shares this machine's cores.
  # It answers without TLS.
  settings+=("DataDeletionPolicy=Delete" "Scale=small" "RequireTls=no")
  arch=${SOP_ARCH:-$(uname -m)}
else
  arch=${SOP_ARCH:-arm64}
fi
[ "$arch" != aarch64 ] || arch=arm64
case $arch in
  arm64) target=aarch64-unknown-linux-gnu ;;
  x86_64) target=x86_64-unknown-linux-gnu ;;
  *) fail "SOP_ARCH is $arch; it is arm64 or x86_64" ;;
esac
settings+=("Architecture=$arch")
settings+=("TemplateDigest=$(sha256sum "$root/infra/template.yaml" | cut -d' ' -f1)")
# shellcheck disable=SC2206 # the words are the parameters
settings+=(${SOP_DEPLOY_PARAMETERS:-})

build() {
  local packages=() name
  for name in "${functions[@]}"; do packages+=(--package "sopwith-$name"); done
  say "building ${#functions[@]} functions for $arch"
  (cd "$root" && cargo lambda build --profile "$profile" --target "$target" --lambda-dir "$lambda_dir" "${packages[@]}" >&2)
}

# The bucket of the packages. Its name has the account, since all the world shares bucket names.
bucket() {
  local name=${SOP_DEPLOY_BUCKET:-} account region
  if [ -z "$name" ]; then
    account=$(aws sts get-caller-identity --query Account --output text)
    region=$(aws configure get region || true)
    region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$region}}
    [ -n "$region" ] || fail "no region: set AWS_REGION"
    name=sopwith-deploy-$account-$region
  fi
  aws s3api head-bucket --bucket "$name" >/dev/null 2>&1 || aws s3 mb "s3://$name" >&2
  printf '%s' "$name"
}

[ "${SOP_SKIP_BUILD:-}" = 1 ] || build
for name in "${functions[@]}"; do
  [ -f "$lambda_dir/sopwith-$name/bootstrap" ] ||
    fail "$lambda_dir/sopwith-$name/bootstrap is missing: run \`make lambdas SOP_ARCH=$arch\`, or leave SOP_SKIP_BUILD out"
done

lambda_dir=$(cd "$lambda_dir" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
edits=(-e "s#CodeUri: \.\./target/lambda/#CodeUri: $lambda_dir/#")
# MiniStack asks for an action that AWS does not have: there, sqs:SendMessage allows batches too.
# And it takes another resource for what is done to a rule of the bus: the bus, or the rule with the bus in its name.
[ -z "$endpoint" ] || edits+=(
  -e "s#\[sqs:SendMessage\]#[sqs:SendMessage, sqs:SendMessageBatch]#"
  -e 's#\(:events:[^"]*\):rule/[^"]*"#\1:*"#'
)
sed "${edits[@]}" "${SOP_TEMPLATE:-$root/infra/template.yaml}" >"$work/template.yaml"

bucket=$(bucket)
say "packaging into s3://$bucket"
aws cloudformation package --template-file "$work/template.yaml" --s3-bucket "$bucket" --s3-prefix "$stack" \
  --output-template-file "$work/packaged.yaml" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "packaging failed"; }
say "deploying stack $stack"
aws cloudformation deploy --template-file "$work/packaged.yaml" --stack-name "$stack" \
  --s3-bucket "$bucket" --s3-prefix "$stack" --no-fail-on-empty-changeset \
  --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides "${settings[@]}" \
  >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "stack $stack is as it was; its events say why"; }

output() {
  aws cloudformation describe-stacks --stack-name "$stack" --output text \
    --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}
url=$(output ApiUrl)
prefix=$(output TableName)
cli="$venv/bin/aws${endpoint:+ --endpoint-url $endpoint}"
cat <<END

Sopwith answers at $url

Pair a client:
  $cli lambda invoke --function-name $prefix-api \\
    --payload '{"operation":"create_pairing_code"}' /dev/stdout
  curl -X POST $url/pair -H 'X-Pairing-Code: <code>'
END
