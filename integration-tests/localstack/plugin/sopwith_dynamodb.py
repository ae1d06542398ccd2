"""DynamoDB for LocalStack without Amazon's own DynamoDB Local, whose licence asks for an account.

moto keeps the items, as it does for other services of LocalStack. It was not written for several requests at once (a
transaction that fails puts back a copy of the tables, and with it loses what others wrote meanwhile), and it does not
know request tokens. So requests come one at a time, and a transaction's token is remembered for ten minutes.
Source: Amazon DynamoDB API reference, TransactWriteItems, ClientRequestToken.
"""

import base64
import json
import threading
import time

from localstack.services.plugins import Service, aws_provider

TOKEN_SECS = 600


def weigh_binaries():
    """Has moto count a binary value's bytes, where it counts those of its base 64."""
    from moto.dynamodb.models.dynamo_type import DynamoType

    weigh = DynamoType.size

    def size(value):
        if value.is_binary() and isinstance(value.value, str):
            return len(base64.b64decode(value.value))
        return weigh(value)

    DynamoType.size = size


class Tokens:
    """What transactions were asked for and answered, by their token."""

    def __init__(self):
        self._kept = {}

    def answer(self, key, asked):
        """The answer that was given under `key` lately; `None` when there was none."""
        now = time.monotonic()
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < TOKEN_SECS}
        if key not in self._kept:
            return None
        _, asked_before, answer = self._kept[key]
        if asked_before != asked:
            from localstack.aws.api import CommonServiceException

            raise CommonServiceException(
                "IdempotentParameterMismatchException", "the token was used for another transaction", status_code=400
            )
        return answer

    def keep(self, key, asked, answer):
        self._kept[key] = (time.monotonic(), asked, answer)


def one_at_a_time(table):
    """The same operations, of which one runs at a time."""
    turn, tokens = threading.Lock(), Tokens()

    def transact(handler, context, request):
        token = request.get("ClientRequestToken")
        if not token:
            return handler(context, request)
        key = (context.account_id, context.region, token)
        asked = json.dumps(request["TransactItems"], sort_keys=True, default=repr)
        answer = tokens.answer(key, asked)
        if answer is None:
            answer = handler(context, request)
            tokens.keep(key, asked, answer)
        return answer

    def guarded(name, handler):
        def call(context, request):
            with turn:
                if name == "TransactWriteItems":
                    return transact(handler, context, request)
                return handler(context, request)

        return call

    return {name: guarded(name, handler) for name, handler in table.items()}


@aws_provider(api="dynamodb", name="sopwith")
def provider():
    from localstack.aws.api.dynamodb import DynamodbApi
    from localstack.services.moto import MotoFallbackDispatcher
    from localstack.services.plugins import ServiceLifecycleHook

    weigh_binaries()

    class Provider(DynamodbApi, ServiceLifecycleHook):
        """Implements nothing itself: moto answers all."""

    return Service.for_provider(
        Provider(), dispatch_table_factory=lambda own: one_at_a_time(MotoFallbackDispatcher(own))
    )
