"""Seeds for the answers of KMS and of credential sources."""
import json

ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def answers():
    derive = {"KeyId": ARN, "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS", "CiphertextForRecipient": "MIAGCSqGSIb3DQEHA6CA"}
    yield b"\0" + json.dumps(derive).encode()
    yield b"\0" + json.dumps({**derive, "SharedSecret": None}).encode()
    yield b"\0" + json.dumps({**derive, "SharedSecret": "AAAA"}).encode()
    yield b"\1" + json.dumps({"KeyMetadata": {"Arn": ARN, "KeyManager": "CUSTOMER", "KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT",
                                              "KeyState": "Enabled", "Origin": "AWS_KMS", "Enabled": True, "MultiRegion": False}}).encode()
    yield b"\2" + json.dumps({"KeyId": ARN, "PublicKey": "MFkwEwYHKoZIzj0CAQ=="}).encode()
    yield b"\3" + json.dumps({"Code": "Success", "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "s", "Token": "t",
                              "Expiration": "2026-11-21T10:00:00Z"}).encode()
    # Once found by the fuzzer: a source that answers without a key, which was taken as credentials.
    yield b"\3" + json.dumps({"Code": "Success", "AccessKeyId": "", "SecretAccessKey": "s", "Token": "t",
                              "Expiration": "2026-11-21T10:00:00Z"}).encode()
    yield b"\4\x2c\1" + json.dumps({"__type": "com.amazonaws.kms#NotFoundException:http://x/", "Message": "Key does not exist"}).encode()


SEEDS = {"kms_json": answers}
