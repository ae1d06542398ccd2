//! Secrets Manager, as an emulator offers it.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::primitives::Blob;
use sop_aws::SecretsManager;
use sop_runtime::port::Secrets;
use sop_testkit::ids::fresh;

use crate::world;

#[tokio::test]
async fn secrets_are_found_below_the_prefix() {
    let config = world::config();
    let client = Client::new(&config);
    let prefix = format!("{}/", fresh("it"));
    let name = |name: &str| format!("{prefix}{name}");
    client.create_secret().name(name("token")).secret_string("S3CRET").send().await.unwrap();
    let bytes = Blob::new([0_u8, 255]);
    client.create_secret().name(name("bytes")).secret_binary(bytes).send().await.unwrap();

    let secrets = SecretsManager::new(&config, &prefix);
    assert_eq!(secrets.secret("token").await.unwrap().as_deref(), Some("S3CRET"));
    assert_eq!(secrets.secret("absent").await.unwrap(), None);
    let error = secrets.secret("bytes").await.unwrap_err();
    assert!(!error.retryable);
    assert!(!format!("{secrets:?} {error:?}").contains("S3CRET"));
    let elsewhere = SecretsManager::new(&config, "elsewhere/");
    assert_eq!(elsewhere.secret("token").await.unwrap(), None);

    client.put_secret_value().secret_id(name("token")).secret_string("new").send().await.unwrap();
    assert_eq!(secrets.secret("token").await.unwrap().as_deref(), Some("S3CRET"), "kept");
    let later = SecretsManager::new(&config, &prefix);
    assert_eq!(later.secret("token").await.unwrap().as_deref(), Some("new"));
}
