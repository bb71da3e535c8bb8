// The simulated KMS under AWS's own client for JavaScript: that what it answers is what that client
// understands, errors as the typed ones of the model. Facts about the other side (secrets, documents,
// the public key's owner) come in as JSON from test_conformance.py, which started the simulator.
import assert from "node:assert/strict";
import { createDecipheriv, createPrivateKey, createPublicKey, diffieHellman, constants, privateDecrypt, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as kms from "@aws-sdk/client-kms";

const given = JSON.parse(readFileSync(process.env.CONFORMANCE_GIVEN, "utf8"));
const { AccessKeyId, SecretAccessKey, Token } = JSON.parse(readFileSync(given.credentials, "utf8"));
const client = (more = {}) => new kms.KMSClient({
  region: "us-east-1", endpoint: given.endpoint, maxAttempts: 1,
  credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token }, ...more,
});
const usual = client();
const call = (name, input, by = usual) => by.send(new kms[name + "Command"](input));
const recipient = { Recipient: { KeyEncryptionAlgorithm: "RSAES_OAEP_SHA_256", AttestationDocument: Buffer.from(given.document, "base64") } };
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const open = { Version: "2012-10-17", Statement: [{ Sid: "all", Effect: "Allow", Principal: { AWS: "*" }, Action: "kms:*", Resource: "*" }] };

// An error must be an instance of the client's own class of that name, or for the common errors carry the name.
async function refused(kind, name, input, by) {
  await assert.rejects(call(name, input, by), (e) => {
    assert.equal(e.name, kind, `${e.name}: ${e.message}`);
    assert.ok(e instanceof kms.KMSServiceException, "an exception of the service");
    if (kms[kind]) assert.ok(e instanceof kms[kind], `typed as ${kind}`);
    assert.match(e.$metadata.requestId, /^[0-9a-f-]{36}$/);
    assert.ok(e.message.length > 0);
    return true;
  });
}

// A second reader of the envelope, by hand: walk BER, one RSA recipient, AES-256-CBC.
function walk(b, at = 0, end = b.length, out = []) {
  while (at < end) {
    const tag = b[at++];
    let n = b[at++];
    if (tag === 0 && n === 0) return { out, at };
    if (n === 0x80) {
      const inner = walk(b, at, end, []);
      out.push({ tag, of: inner.out });
      at = inner.at;
      continue;
    }
    if (n > 0x80) {
      let bytes = n & 0x7f;
      for (n = 0; bytes > 0; bytes--) n = n * 256 + b[at++];
    }
    assert.ok(at + n <= end, "a length within its parent");
    out.push(tag & 0x20 ? { tag, of: walk(b, at, at + n, []).out } : { tag, bytes: b.subarray(at, at + n) });
    at += n;
  }
  return { out, at };
}

function unseal(blob) {
  const b = Buffer.from(blob);
  const { out } = walk(b);
  assert.equal(out.length, 1, "one ContentInfo and nothing after it");
  const data = out[0].of[1].of[0].of;
  const to = data[1].of[0].of, content = data[2].of;
  assert.equal(hex(to[1].bytes), createHash("sha256").update(Buffer.from(given.recipient_spki, "base64")).digest("hex"), "the recipient's name");
  const key = privateDecrypt({ key: given.recipient_key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" }, to[3].bytes);
  const text = content[2].bytes ?? Buffer.concat(content[2].of.map((piece) => piece.bytes));
  const aes = createDecipheriv("aes-256-cbc", key, content[1].of[1].bytes);
  return Buffer.concat([aes.update(text), aes.final()]);
}

async function newKey(input = {}) {
  const { KeyMetadata: m } = await call("CreateKey", { Policy: JSON.stringify(open), ...input });
  return m.Arn;
}
const agreement = { KeySpec: "ECC_NIST_P256", KeyUsage: "KEY_AGREEMENT" };
const derive = (key, more = {}) => ({ KeyId: key, KeyAgreementAlgorithm: "ECDH", PublicKey: Buffer.from(given.peer, "base64"), ...more });

test("CreateKey and DescribeKey: a symmetric key by default", async () => {
  const { KeyMetadata: m } = await call("CreateKey", { Description: "Größe" });
  assert.match(m.Arn, /^arn:aws:kms:us-east-1:111122223333:key\/[0-9a-f-]{36}$/);
  assert.equal(m.Arn.split("/")[1], m.KeyId);
  assert.deepEqual([m.AWSAccountId, m.KeySpec, m.KeyUsage, m.KeyState, m.Origin, m.KeyManager, m.Enabled, m.MultiRegion, m.Description],
    ["111122223333", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "Enabled", "AWS_KMS", "CUSTOMER", true, false, "Größe"]);
  assert.deepEqual(m.EncryptionAlgorithms, ["SYMMETRIC_DEFAULT"]);
  assert.ok(m.CreationDate instanceof Date && Math.abs(m.CreationDate - Date.now()) < 60000);
  for (const name of [m.Arn, m.KeyId]) assert.deepEqual((await call("DescribeKey", { KeyId: name })).KeyMetadata, m);
});

test("CreateKey: a P-256 key for agreement, and what cannot be", async () => {
  const { KeyMetadata: m } = await call("CreateKey", agreement);
  assert.deepEqual([m.KeySpec, m.KeyUsage, m.KeyAgreementAlgorithms, m.SigningAlgorithms], ["ECC_NIST_P256", "KEY_AGREEMENT", ["ECDH"], undefined]);
  const { KeyMetadata: s } = await call("CreateKey", { KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" });
  assert.deepEqual(s.SigningAlgorithms, ["ECDSA_SHA_256"]);
  const { KeyMetadata: e } = await call("CreateKey", { ...agreement, Origin: "EXTERNAL" });
  assert.deepEqual([e.Origin, e.KeyState, e.Enabled], ["EXTERNAL", "PendingImport", false]);
  await refused("KMSInvalidStateException", "DeriveSharedSecret", derive(e.Arn));
  await refused("ValidationException", "CreateKey", { KeySpec: "ECC_NIST_P256" });
  await refused("ValidationException", "CreateKey", { KeyUsage: "KEY_AGREEMENT" });
  await refused("UnsupportedOperationException", "CreateKey", { ...agreement, KeySpec: "ECC_SECG_P256K1" });
  await refused("UnsupportedOperationException", "CreateKey", { ...agreement, Origin: "AWS_CLOUDHSM" });
  await refused("UnsupportedOperationException", "CreateKey", { ...agreement, MultiRegion: true });
});

test("CreateKey: a policy that locks its maker out needs the bypass", async () => {
  const locked = JSON.stringify({ ...open, Statement: [{ ...open.Statement[0], Action: ["kms:DescribeKey", "kms:GetKeyPolicy"] }] });
  await refused("MalformedPolicyDocumentException", "CreateKey", { ...agreement, Policy: locked });
  await refused("MalformedPolicyDocumentException", "CreateKey", { Policy: "{" });
  await refused("MalformedPolicyDocumentException", "CreateKey", { Policy: JSON.stringify({ ...open, Version: "2099-01-01" }) });
  const key = await newKey({ ...agreement, Policy: locked, BypassPolicyLockoutSafetyCheck: true });
  assert.deepEqual(JSON.parse((await call("GetKeyPolicy", { KeyId: key })).Policy), JSON.parse(locked));
  await refused("AccessDeniedException", "PutKeyPolicy", { KeyId: key, Policy: JSON.stringify(open) });
  await refused("AccessDeniedException", "DeriveSharedSecret", derive(key));
  await refused("AccessDeniedException", "CreateGrant", { KeyId: key, GranteePrincipal: "arn:aws:iam::111122223333:root", Operations: ["DeriveSharedSecret"] });
});

test("GetPublicKey is the key's own, and DeriveSharedSecret agrees with it", async () => {
  const key = await newKey(agreement);
  const about = await call("GetPublicKey", { KeyId: key });
  assert.deepEqual([about.KeyId, about.KeySpec, about.KeyUsage, about.KeyAgreementAlgorithms], [key, "ECC_NIST_P256", "KEY_AGREEMENT", ["ECDH"]]);
  const publicKey = createPublicKey({ key: Buffer.from(about.PublicKey), format: "der", type: "spki" });
  const own = createPrivateKey(given.peer_key);
  const expected = hex(diffieHellman({ privateKey: own, publicKey }));
  const bare = await call("DeriveSharedSecret", derive(key));
  assert.deepEqual([hex(bare.SharedSecret), bare.KeyId, bare.KeyOrigin, bare.KeyAgreementAlgorithm, bare.CiphertextForRecipient],
    [expected, key, "AWS_KMS", "ECDH", undefined]);
  const sealed = await call("DeriveSharedSecret", derive(key, recipient));
  assert.equal(sealed.SharedSecret, undefined);
  assert.equal(hex(unseal(sealed.CiphertextForRecipient)), expected);
  await refused("UnsupportedOperationException", "GetPublicKey", { KeyId: await newKey() });
});

test("DeriveSharedSecret: what is refused", async () => {
  const key = await newKey(agreement);
  await refused("ValidationException", "DeriveSharedSecret", derive(key, { PublicKey: Buffer.alloc(91) }));
  await refused("ValidationException", "DeriveSharedSecret", derive(key, { KeyAgreementAlgorithm: "X25519" }));
  await refused("DryRunOperationException", "DeriveSharedSecret", derive(key, { DryRun: true }));
  await refused("InvalidKeyUsageException", "DeriveSharedSecret", derive(await newKey({ ...agreement, KeyUsage: "SIGN_VERIFY" })));
  await refused("InvalidKeyUsageException", "DeriveSharedSecret", derive(await newKey()));
  const broken = Buffer.from(given.document, "base64");
  broken[broken.length - 1] ^= 1;
  await refused("ValidationException", "DeriveSharedSecret", derive(key, { Recipient: { ...recipient.Recipient, AttestationDocument: broken } }));
});

test("a policy gates by PCR0, and only with a document", async () => {
  const gate = (pcr0) => JSON.stringify({ ...open, Statement: [
    { ...open.Statement[0], Action: "kms:DeriveSharedSecret", Condition: { StringEqualsIgnoreCase: { "kms:RecipientAttestation:PCR0": pcr0 } } }] });
  const key = await newKey({ ...agreement, Policy: gate(given.pcr0), BypassPolicyLockoutSafetyCheck: true });
  await refused("AccessDeniedException", "DeriveSharedSecret", derive(key));
  assert.equal(unseal((await call("DeriveSharedSecret", derive(key, recipient))).CiphertextForRecipient).length, 32);
  const other = await newKey({ ...agreement, Policy: gate("6f".repeat(48)), BypassPolicyLockoutSafetyCheck: true });
  await refused("AccessDeniedException", "DeriveSharedSecret", derive(other, recipient));
});

test("GenerateDataKey and Decrypt, with an encryption context in any order", async () => {
  const key = await newKey();
  const context = { EncryptionContext: { b: "2", a: "1" } };
  const made = await call("GenerateDataKey", { KeyId: key, KeySpec: "AES_256", ...context });
  assert.deepEqual([made.KeyId, made.Plaintext.length], [key, 32]);
  assert.match(made.KeyMaterialId, /^[0-9a-f]{64}$/);
  const same = { EncryptionContext: { a: "1", b: "2" } };
  const back = await call("Decrypt", { CiphertextBlob: made.CiphertextBlob, ...same });
  assert.deepEqual([back.KeyId, back.EncryptionAlgorithm, hex(back.Plaintext), back.KeyMaterialId],
    [key, "SYMMETRIC_DEFAULT", hex(made.Plaintext), made.KeyMaterialId]);
  const sealed = await call("Decrypt", { CiphertextBlob: made.CiphertextBlob, KeyId: key, ...same, ...recipient });
  assert.equal(sealed.Plaintext, undefined);
  assert.equal(hex(unseal(sealed.CiphertextForRecipient)), hex(made.Plaintext));
  await refused("InvalidCiphertextException", "Decrypt", { CiphertextBlob: made.CiphertextBlob });
  await refused("InvalidCiphertextException", "Decrypt", { CiphertextBlob: made.CiphertextBlob, EncryptionContext: { a: "1", b: "3" } });
  for (const at of [0, 10, 45, 60, made.CiphertextBlob.length - 1]) {
    const altered = Uint8Array.from(made.CiphertextBlob);
    altered[at] ^= 1;
    await refused("InvalidCiphertextException", "Decrypt", { CiphertextBlob: altered, ...same });
  }
  await refused("InvalidCiphertextException", "Decrypt", { CiphertextBlob: Buffer.from("x"), ...same });
  await refused("IncorrectKeyException", "Decrypt", { CiphertextBlob: made.CiphertextBlob, KeyId: await newKey(), ...same });
  await refused("InvalidKeyUsageException", "Decrypt", { CiphertextBlob: made.CiphertextBlob, KeyId: await newKey(agreement), ...same });
  await refused("ValidationException", "Decrypt", { CiphertextBlob: made.CiphertextBlob, EncryptionAlgorithm: "RSAES_OAEP_SHA_256", ...same });
  await refused("DryRunOperationException", "Decrypt", { CiphertextBlob: made.CiphertextBlob, ...same, DryRun: true });
});

test("GenerateDataKey: sizes, Recipient, and what is refused", async () => {
  const key = await newKey();
  assert.equal((await call("GenerateDataKey", { KeyId: key, KeySpec: "AES_128" })).Plaintext.length, 16);
  assert.equal((await call("GenerateDataKey", { KeyId: key, NumberOfBytes: 1024 })).Plaintext.length, 1024);
  const sealed = await call("GenerateDataKey", { KeyId: key, NumberOfBytes: 33, ...recipient });
  assert.equal(sealed.Plaintext, undefined);
  assert.equal(hex(unseal(sealed.CiphertextForRecipient)), hex((await call("Decrypt", { CiphertextBlob: sealed.CiphertextBlob })).Plaintext));
  for (const bad of [{}, { NumberOfBytes: 0 }, { NumberOfBytes: 1025 }, { KeySpec: "AES_256", NumberOfBytes: 32 }, { KeySpec: "AES_512" }])
    await refused("ValidationException", "GenerateDataKey", { KeyId: key, ...bad });
  await refused("InvalidKeyUsageException", "GenerateDataKey", { KeyId: await newKey(agreement), KeySpec: "AES_256" });
  await refused("DryRunOperationException", "GenerateDataKey", { KeyId: key, KeySpec: "AES_256", DryRun: true });
});

test("GenerateDataKeyPair: each kind is a pair, with and without Recipient", async () => {
  const key = await newKey();
  const matches = (pkcs8, spki) => {
    const from = createPublicKey(createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" }));
    assert.equal(hex(from.export({ format: "der", type: "spki" })), hex(spki));
  };
  for (const KeyPairSpec of ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "RSA_2048"]) {
    const made = await call("GenerateDataKeyPair", { KeyId: key, KeyPairSpec });
    assert.deepEqual([made.KeyId, made.KeyPairSpec], [key, KeyPairSpec]);
    matches(made.PrivateKeyPlaintext, made.PublicKey);
    assert.equal(hex((await call("Decrypt", { CiphertextBlob: made.PrivateKeyCiphertextBlob })).Plaintext), hex(made.PrivateKeyPlaintext));
  }
  const sealed = await call("GenerateDataKeyPair", { KeyId: key, KeyPairSpec: "ECC_SECG_P256K1", ...recipient });
  assert.equal(sealed.PrivateKeyPlaintext, undefined);
  matches(unseal(sealed.CiphertextForRecipient), sealed.PublicKey);
  await refused("ValidationException", "GenerateDataKeyPair", { KeyId: key, KeyPairSpec: "RSA_1024" });
});

test("GenerateRandom", async () => {
  const a = await call("GenerateRandom", { NumberOfBytes: 32 }), b = await call("GenerateRandom", { NumberOfBytes: 32 });
  assert.equal(a.Plaintext.length, 32);
  assert.notEqual(hex(a.Plaintext), hex(b.Plaintext));
  const sealed = await call("GenerateRandom", { NumberOfBytes: 1024, ...recipient });
  assert.equal(sealed.Plaintext, undefined);
  assert.equal(unseal(sealed.CiphertextForRecipient).length, 1024);
  await refused("ValidationException", "GenerateRandom", {});
  await refused("ValidationException", "GenerateRandom", { NumberOfBytes: 1025 });
  await refused("CustomKeyStoreNotFoundException", "GenerateRandom", { NumberOfBytes: 1, CustomKeyStoreId: "cks-1" });
});

test("PutKeyPolicy and GetKeyPolicy", async () => {
  const key = await newKey(agreement);
  const first = await call("GetKeyPolicy", { KeyId: key, PolicyName: "default" });
  assert.equal(first.PolicyName, "default");
  assert.deepEqual(JSON.parse(first.Policy), open);
  const locked = { ...open, Statement: [{ ...open.Statement[0], Action: "kms:GetKeyPolicy" }] };
  await refused("MalformedPolicyDocumentException", "PutKeyPolicy", { KeyId: key, Policy: JSON.stringify(locked) });
  await refused("NotFoundException", "PutKeyPolicy", { KeyId: key, PolicyName: "other", Policy: JSON.stringify(open) });
  await refused("NotFoundException", "GetKeyPolicy", { KeyId: key, PolicyName: "other" });
  const put = await call("PutKeyPolicy", { KeyId: key, PolicyName: "default", Policy: JSON.stringify(locked), BypassPolicyLockoutSafetyCheck: true });
  assert.equal(put.$metadata.httpStatusCode, 200);
  assert.deepEqual(JSON.parse((await call("GetKeyPolicy", { KeyId: key })).Policy), locked);
  await refused("AccessDeniedException", "DescribeKey", { KeyId: key });
  const standard = JSON.parse((await call("GetKeyPolicy", { KeyId: (await call("CreateKey", {})).KeyMetadata.Arn })).Policy);
  assert.deepEqual([standard.Statement[0].Principal.AWS, standard.Statement[0].Action], ["arn:aws:iam::111122223333:root", "kms:*"]);
});

test("CreateGrant, ListGrants by pages, and what a grant opens", async () => {
  const locked = { ...open, Statement: [{ ...open.Statement[0], Action: ["kms:CreateGrant", "kms:ListGrants"] }] };
  const key = await newKey({ ...agreement, Policy: JSON.stringify(locked), BypassPolicyLockoutSafetyCheck: true });
  assert.deepEqual([(await call("ListGrants", { KeyId: key })).Grants, (await call("ListGrants", { KeyId: key })).Truncated], [[], false]);
  await refused("AccessDeniedException", "DeriveSharedSecret", derive(key));
  const grant = { KeyId: key, GranteePrincipal: "arn:aws:iam::111122223333:role/one", Operations: ["DeriveSharedSecret"], Name: "first" };
  await refused("DryRunOperationException", "CreateGrant", { ...grant, DryRun: true });
  const first = await call("CreateGrant", grant);
  assert.match(first.GrantId, /^[0-9a-f]{64}$/);
  assert.ok(first.GrantToken.length > 0);
  assert.equal((await call("CreateGrant", grant)).GrantId, first.GrantId, "a named grant is made once");
  assert.equal((await call("DeriveSharedSecret", derive(key))).SharedSecret.length, 32, "no attestation binds a grant");
  const ids = [first.GrantId];
  for (let i = 0; i < 6; i++)
    ids.push((await call("CreateGrant", { ...grant, Name: undefined, GranteePrincipal: `arn:aws:iam::111122223333:role/${i % 2}`, Operations: ["DescribeKey"] })).GrantId);
  const seen = [];
  let pages = 0;
  for await (const page of kms.paginateListGrants({ client: usual, pageSize: 3 }, { KeyId: key })) {
    pages++;
    assert.equal(page.Truncated, pages < 3);
    seen.push(...page.Grants);
  }
  assert.deepEqual([pages, seen.map((g) => g.GrantId)], [3, ids]);
  assert.deepEqual([seen[0].KeyId, seen[0].Name, seen[0].GranteePrincipal, seen[0].Operations, seen[0].IssuingAccount],
    [key, "first", grant.GranteePrincipal, ["DeriveSharedSecret"], "arn:aws:iam::111122223333:root"]);
  assert.ok(seen[0].CreationDate instanceof Date);
  assert.deepEqual((await call("ListGrants", { KeyId: key, GrantId: ids[4] })).Grants.map((g) => g.GrantId), [ids[4]]);
  assert.equal((await call("ListGrants", { KeyId: key, GranteePrincipal: "arn:aws:iam::111122223333:role/1" })).Grants.length, 3);
  await refused("InvalidMarkerException", "ListGrants", { KeyId: key, Marker: "nowhere" });
  await refused("ValidationException", "ListGrants", { KeyId: key, Limit: 101 });
  await refused("ValidationException", "CreateGrant", { ...grant, Operations: ["Decrypt"] });
  await refused("ValidationException", "CreateGrant", { ...grant, Operations: ["PutKeyPolicy"] });
  await refused("ValidationException", "CreateGrant", { ...grant, Operations: [] });
});

test("a grant's constraints look at the encryption context alone", async () => {
  const few = { ...open, Statement: [{ ...open.Statement[0], Action: ["kms:CreateGrant", "kms:GenerateDataKey"] }] };
  const key = await newKey({ Policy: JSON.stringify(few), BypassPolicyLockoutSafetyCheck: true });
  const made = async (EncryptionContext) => ({ EncryptionContext, CiphertextBlob: (await call("GenerateDataKey", { KeyId: key, KeySpec: "AES_256", EncryptionContext })).CiphertextBlob });
  await call("CreateGrant", { KeyId: key, GranteePrincipal: "arn:aws:iam::111122223333:role/one", Operations: ["Decrypt"],
    Constraints: { EncryptionContextSubset: { team: "a" } } });
  assert.equal((await call("Decrypt", await made({ team: "a", more: "b" }))).Plaintext.length, 32);
  await refused("AccessDeniedException", "Decrypt", await made({ team: "b" }));
  await refused("AccessDeniedException", "Decrypt", await made({}));
});

test("names that are no key's", async () => {
  const key = await newKey();
  const far = key.replace("us-east-1", "eu-west-1");
  for (const KeyId of ["alias/none", far, key.slice(0, -1) + (key.endsWith("0") ? "1" : "0"), "00000000-0000-4000-8000-000000000000"])
    for (const name of ["DescribeKey", "GetPublicKey", "GetKeyPolicy", "ListGrants"]) await refused("NotFoundException", name, { KeyId });
});

test("errors about who asks, and about what the service itself cannot", async () => {
  const key = await newKey();
  const by = (more) => client({ credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token, ...more } });
  await refused("UnrecognizedClientException", "DescribeKey", { KeyId: key }, by({ accessKeyId: "ASIA" + "A".repeat(16) }));
  await refused("UnrecognizedClientException", "DescribeKey", { KeyId: key }, by({ sessionToken: "x" }));
  await refused("InvalidSignatureException", "DescribeKey", { KeyId: key }, by({ secretAccessKey: "x".repeat(40) }));
  await refused("NotFoundException", "DescribeKey", { KeyId: key }, client({ region: "eu-west-1" }));
  await assert.rejects(call("Sign", { KeyId: key, Message: Buffer.from("x"), SigningAlgorithm: "ECDSA_SHA_256" }), { name: "UnknownOperationException" });
});

test("the client's own retry takes it over a throttle and a failure", async () => {
  const { writeFileSync, existsSync } = await import("node:fs");
  const patient = client({ maxAttempts: 3 });
  for (const what of ["throttle:2", "error500:1"]) {
    writeFileSync(given.misbehave, what);
    const got = await call("GenerateRandom", { NumberOfBytes: 4 }, patient);
    assert.equal(got.$metadata.attempts, 1 + Number(what.at(-1)), what);
    assert.ok(!existsSync(given.misbehave), "counted down to nothing");
  }
  writeFileSync(given.misbehave, "throttle:1@DescribeKey");
  await refused("ThrottlingException", "DescribeKey", { KeyId: await newKey() });
  writeFileSync(given.misbehave, "error500:1");
  await refused("KMSInternalException", "GenerateRandom", { NumberOfBytes: 4 });
});
