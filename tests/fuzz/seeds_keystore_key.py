"""Seeds of the fuzz target key_policy: policies (first byte odd) and evidence files (even)."""
import json

PCR0 = "5e" * 48
ARN = "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"


def statement(action="kms:DeriveSharedSecret", operator="StringEquals", key="kms:RecipientAttestation:PCR0", value=PCR0, **more):
    return {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action, "Resource": "*", "Condition": {operator: {key: value}}, **more}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def key_policy():
    read = {"Effect": "Allow", "Principal": "*", "Action": ["kms:DescribeKey", "kms:GetKeyPolicy"], "Resource": ARN}
    policies = [
        policy(statement(), read), policy(statement(operator="StringEqualsIfExists")), policy(statement(operator="ForAnyValue:StringEquals")),
        policy(statement(value=["00" * 48, PCR0])), policy(statement("kms:*"), statement(["kms:PutKeyPolicy", "kms:Decrypt"], Sid="x")),
        policy(statement(key="kms:RecipientAttestation:ImageSha384"), {**read, "Effect": "Deny", "Action": "kms:*"}),
        policy({**statement(), "Principal": {"AWS": "arn:aws:iam::111122223333:role/x"}}), policy({**read, "NotAction": "kms:x"}), {"Statement": statement()},
    ]
    for p in policies:
        yield b"\1" + json.dumps(p, separators=(",", ":")).encode()
    answers = {
        "describe_key": {"KeyMetadata": {"AWSAccountId": "111122223333", "KeyId": ARN[-36:], "Arn": ARN, "Enabled": True, "KeyUsage": "KEY_AGREEMENT", "KeyState": "Enabled",
                                         "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "ECC_NIST_P256", "MultiRegion": False}},
        "get_public_key": {"KeyId": ARN, "PublicKey": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE", "KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
        "list_grants": {"Grants": [], "Truncated": False},
        "get_key_policy": {"Policy": json.dumps(policies[0]), "PolicyName": "default"},
    }
    yield b"\0" + json.dumps({"key": ARN, "measurements": [PCR0], "documents": answers}).encode()
    told = {k: {"status": 200, "error": "", "request_id": "r", "body": json.dumps(v)} for k, v in answers.items()}
    told["list_grants"] = [{"status": 200, "body": '{"Grants":[],"Truncated":true,"NextMarker":"m"}'}, told["list_grants"]]
    told["get_key_policy"] = [told["get_key_policy"], {"status": 400, "error": "AccessDeniedException", "body": ""}]
    evidence = {"type": "holdfast-key-evidence", "version": 1, "key": ARN, "checked_at": 1, "measurements": [PCR0], "findings": [], "documents": told}
    yield b"\0" + json.dumps(evidence).encode()
    yield b"\0" + json.dumps({"document": "aGk=", "evidence": json.dumps(evidence)}).encode()


SEEDS = {"key_policy": key_policy}
