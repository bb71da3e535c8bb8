#include "tests/policy_case.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <secp256k1.h>
#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "tests/support/check_main.h"

#define SK_APPLICATION "ssh:"

/* MUST, not Check's own words: the bench uses this, too. */
static EVP_PKEY *ed25519_of(int n, enum maintainer_kind kind)
{
    uint8_t seed[32];
    memset(seed, n + 1, sizeof seed);
    seed[0] ^= kind == MAINTAINER_SK;             /* another key than the ssh one */
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    MUST(k != NULL);
    return k;
}

static void pair_of(secp256k1_keypair *out, secp256k1_context *c, int n)
{
    uint8_t seed[32];
    memset(seed, n + 1, sizeof seed);
    MUST(secp256k1_keypair_create(c, out, seed) == 1);
}

void person_key(struct maintainer *out, int n, enum maintainer_kind kind)
{
    *out = (struct maintainer){ .kind = kind };
    snprintf(out->name, sizeof out->name, "person-%d", n);
    if (kind == MAINTAINER_NOSTR) {
        secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
        secp256k1_keypair pair;
        secp256k1_xonly_pubkey x;
        pair_of(&pair, c, n);
        MUST(secp256k1_keypair_xonly_pub(c, &x, NULL, &pair) == 1 && secp256k1_xonly_pubkey_serialize(c, out->key, &x) == 1);
        secp256k1_context_destroy(c);
        return;
    }
    size_t len = 32;
    EVP_PKEY *k = ed25519_of(n, kind);
    MUST(EVP_PKEY_get_raw_public_key(k, out->key, &len) == 1);
    EVP_PKEY_free(k);
    if (kind == MAINTAINER_SK) strcpy(out->application, SK_APPLICATION);
}

void person_text(char out[static MAINTAINER_TEXT], int n, enum maintainer_kind kind)
{
    struct maintainer m;
    struct wr w = wr_of(out, MAINTAINER_TEXT - 1);
    person_key(&m, n, kind);
    maintainer_write(&w, &m);
    MUST(!w.full);
    out[w.len] = 0;
}

/* ---- SSHSIG, written from OpenSSH's descriptions ---- */

static void string(struct wr *w, const void *p, size_t n)
{
    wr_u32be(w, (uint32_t)n);
    wr_bytes(w, p, n);
}

static void text(struct wr *w, const char *s) { string(w, s, strlen(s)); }

static void ed25519(uint8_t out[static 64], int n, enum maintainer_kind kind, const uint8_t *p, size_t len)
{
    size_t size = 64;
    EVP_PKEY *k = ed25519_of(n, kind);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    MUST(c && EVP_DigestSignInit(c, NULL, NULL, NULL, k) == 1 && EVP_DigestSign(c, out, &size, p, len) == 1);
    EVP_MD_CTX_free(c);
    EVP_PKEY_free(k);
}

static const char *name_space_of(const char *document)
{
    static char out[80];
    const char *type = strstr(document, "holdfast-");
    MUST(type != NULL);
    snprintf(out, sizeof out, "%.*s@holdfast", (int)strcspn(type, "\""), type);
    return out;
}

static void frame(struct wr *w, const char *document, const char *name_space, const struct odd *odd)
{
    uint8_t hash[64];
    const size_t n = odd->sha256 ? 32 : 64;
    if (odd->sha256) sha256(hash, document, strlen(document));
    else sha512(hash, document, strlen(document));
    wr_text(w, "SSHSIG");
    text(w, name_space);
    text(w, odd->reserved ? "x" : "");
    text(w, odd->sha256 ? "sha256" : "sha512");
    string(w, hash, n);
}

static void inner(struct wr *w, int n, enum maintainer_kind kind, const struct wr *f, const char *application, const struct odd *odd)
{
    uint8_t signature[64], bytes[128], hash[32];
    struct wr b = wr_of(bytes, sizeof bytes);
    if (kind == MAINTAINER_SSH) {
        ed25519(signature, n, kind, f->p, f->len);
        text(w, "ssh-ed25519");
        string(w, signature, sizeof signature);
        return;
    }
    sha256(hash, application, strlen(application));
    wr_bytes(&b, hash, 32);
    wr_u8(&b, odd->no_touch ? 0 : 1);
    wr_u32be(&b, 7);
    sha256(hash, f->p, f->len);
    wr_bytes(&b, hash, 32);
    ed25519(signature, n, kind, bytes, b.len);
    text(w, "sk-ssh-ed25519@openssh.com");
    string(w, signature, sizeof signature);
    wr_u8(w, odd->no_touch ? 0 : 1);
    wr_u32be(w, 7);
}

struct bytes person_sshsig(char out[static SIGNATURE_ROOM], int n, enum maintainer_kind kind, const char *document, const struct odd *odd)
{
    static const struct odd none;
    uint8_t blob[1024], piece[512], signature[256];
    char base64[1500];
    struct maintainer m;
    struct wr w = wr_of(blob, sizeof blob), f = wr_of(piece, sizeof piece), s = wr_of(signature, sizeof signature);
    if (!odd) odd = &none;
    const char *name_space = odd->name_space ? odd->name_space : name_space_of(document);
    const char *application = odd->application ? odd->application : SK_APPLICATION;
    person_key(&m, n, kind);
    frame(&f, document, name_space, odd);
    inner(&s, n, kind, &f, application, odd);
    wr_text(&w, "SSHSIG");
    wr_u32be(&w, 1);
    uint8_t key[160];
    struct wr k = wr_of(key, sizeof key);
    text(&k, kind == MAINTAINER_SK ? "sk-ssh-ed25519@openssh.com" : "ssh-ed25519");
    string(&k, m.key, 32);
    if (kind == MAINTAINER_SK) text(&k, application);
    string(&w, key, k.len);
    text(&w, name_space);
    text(&w, odd->reserved ? "x" : "");
    text(&w, odd->sha256 ? "sha256" : "sha512");
    string(&w, signature, s.len);
    MUST(!w.full && !f.full && !s.full && !k.full);
    base64_from(base64, blob, w.len);
    int at = snprintf(out, SIGNATURE_ROOM, "-----BEGIN SSH SIGNATURE-----\n");
    for (const char *p = base64; *p; p += strnlen(p, 70)) at += snprintf(out + at, SIGNATURE_ROOM - (size_t)at, "%.70s\n", p);
    at += snprintf(out + at, SIGNATURE_ROOM - (size_t)at, "-----END SSH SIGNATURE-----\n");
    return (struct bytes){ out, (size_t)at };
}

/* ---- Nostr ---- */

struct bytes person_nostr(char out[static SIGNATURE_ROOM], int n, const char *document, const struct odd *odd)
{
    static const struct odd none;
    static const char *const types[] = { "holdfast-policy\"", "holdfast-release\"", "holdfast-veto\"", "holdfast-rollback-permit\"", "holdfast-genesis-authorisation\"" };
    char content[256], all[1024], key[65], id_hex[65], sig_hex[129], hex[65];
    uint8_t hash[32], id[32], signature[64];
    struct maintainer m;
    uint64_t event = 8730;
    if (!odd) odd = &none;
    while (!strstr(document, types[event - 8730])) event++;
    if (odd->event) event = odd->event;
    sha256(hash, document, strlen(document));
    hex_from(hex, hash, 32);
    const char *name_space = name_space_of(document);
    snprintf(content, sizeof content, "%.*s %s", (int)strcspn(name_space, "@"), name_space, hex);
    if (odd->content) snprintf(content, sizeof content, "%s", odd->content);
    person_key(&m, n, MAINTAINER_NOSTR);
    hex_from(key, m.key, 32);
    int len = snprintf(all, sizeof all, "[0,\"%s\",1234,%" PRIu64 ",[[\"client\",\"test\"],[]],\"%s\"]", key, event, content);
    sha256(id, all, (size_t)len);
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    secp256k1_keypair pair;
    pair_of(&pair, c, n);
    MUST(secp256k1_schnorrsig_sign32(c, signature, id, &pair, NULL) == 1);
    secp256k1_context_destroy(c);
    hex_from(id_hex, id, 32);
    hex_from(sig_hex, signature, 64);
    len = snprintf(out, SIGNATURE_ROOM, "{\"kind\": %" PRIu64 ", \"created_at\":1234,\n \"tags\":[[\"client\", \"test\"],[ ]],\"content\":\"%s\",\"pubkey\":\"%s\",\"id\":\"%s\",\"sig\":\"%s\"}\n",
                   event, content, key, id_hex, sig_hex);
    return (struct bytes){ out, (size_t)len };
}

/* ---- documents ---- */

const char *with(const char *whole, const char *from, const char *to)
{
    static char room[3][DOCUMENT_ROOM];
    static int turn;
    char *out = room[turn++ % 3];
    const char *at = strstr(whole, from);
    ck_assert_msg(at != NULL, "`%s` is not there", from);
    ck_assert_int_lt(snprintf(out, DOCUMENT_ROOM, "%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from)), DOCUMENT_ROOM);
    return out;
}

static void hash_hex(char out[static 65], const char *document)
{
    uint8_t hash[32];
    sha256(hash, document, strlen(document));
    hex_from(out, hash, 32);
}

static void policy(char out[static DOCUMENT_ROOM], int version, const char *previous, const int person[3])
{
    char key[4][MAINTAINER_TEXT];
    for (int i = 0; i < 3; i++) person_text(key[i], person[i], (enum maintainer_kind)i);
    person_text(key[3], 3, MAINTAINER_SSH);
    snprintf(out, DOCUMENT_ROOM,
        "{\n \"type\": \"holdfast-policy\",\n \"format\": 1,\n \"service\": \"" SERVICE_HEX "\",\n \"network\": \"signet\",\n"
        " \"version\": %d,\n \"previous\": %s,\n \"threshold\": 2,\n"
        " \"keys\": [{\"name\":\"a\",\"key\":\"%s\"},\n  {\"name\":\"b\",\"key\":\"%s\"},\n  {\"name\":\"c\",\"key\":\"%s\"}],\n"
        " \"veto_threshold\": 1,\n \"veto_keys\": [{\"name\":\"v\",\"key\":\"%s\"}],\n \"delay\": 86400,\n \"emergency_threshold\": 3,\n"
        " \"emergency_delay\": 3600,\n \"revoked_keys\": [],\n \"revoked_releases\": [],\n \"expires\": 5000\n}\n",
        version, previous, key[0], key[1], key[2], key[3]);
}

void good_policy(char out[static DOCUMENT_ROOM]) { policy(out, 1, "null", (const int[]){ 0, 1, 2 }); }

void good_next_policy(char out[static DOCUMENT_ROOM])
{
    char first[DOCUMENT_ROOM], hex[65], previous[70];
    good_policy(first);
    hash_hex(hex, first);
    snprintf(previous, sizeof previous, "\"%s\"", hex);
    policy(out, 2, previous, (const int[]){ 0, 1, 4 });
}

#define PCR16 "0123456789abcdef0123456789abcdef"
#define PCR_HEX(c) c PCR16 PCR16 PCR16

void good_release(char out[static DOCUMENT_ROOM])
{
    char first[DOCUMENT_ROOM], hex[65];
    good_policy(first);
    hash_hex(hex, first);
    snprintf(out, DOCUMENT_ROOM,
        "{\"type\":\"holdfast-release\",\"format\":1,\"service\":\"" SERVICE_HEX "\",\"network\":\"signet\",\"sequence\":7,\"policy_version\":1,"
        "\"policy\":\"%s\",\"pcr0\":\"" PCR_HEX("") "\",\"pcr1\":\"" PCR_HEX("") "\",\"pcr2\":\"" PCR_HEX("") "\",\"pcr8\":null,"
        "\"label\":\"Holdfast 0.2\",\"commit\":\"0123456789abcdef0123456789abcdef01234567\",\"min_generation\":3,\"emergency\":false,"
        "\"not_before\":1000,\"expires\":2000}", hex);
}

void good_veto(char out[static DOCUMENT_ROOM], const char *release)
{
    char first[DOCUMENT_ROOM], hex[65], of[65];
    good_policy(first);
    hash_hex(hex, first);
    hash_hex(of, release);
    snprintf(out, DOCUMENT_ROOM, "{\"type\":\"holdfast-veto\",\"format\":1,\"service\":\"" SERVICE_HEX "\",\"network\":\"signet\",\"release\":\"%s\","
             "\"policy_version\":1,\"policy\":\"%s\",\"expires\":2000}", of, hex);
}

void good_permit(char out[static DOCUMENT_ROOM])
{
    snprintf(out, DOCUMENT_ROOM, "{\"type\":\"holdfast-rollback-permit\",\"format\":1,\"service\":\"" SERVICE_HEX "\",\"network\":\"signet\",\"generation\":5,"
             "\"log_size\":40,\"head\":\"" SERVICE_HEX "\",\"nonce\":\"000102030405060708090a0b0c0d0e0f\",\"not_before\":1000,\"expires\":2000}");
}

void good_genesis(char out[static DOCUMENT_ROOM])
{
    char key[2][MAINTAINER_TEXT];
    person_text(key[0], 0, MAINTAINER_SSH);
    person_text(key[1], 1, MAINTAINER_SSH);
    snprintf(out, DOCUMENT_ROOM, "{\"type\":\"holdfast-genesis-authorisation\",\"format\":1,\"network\":\"signet\",\"name\":\"vault\",\"key\":\"arn:aws:kms:x\","
             "\"blockhash\":\"" SERVICE_HEX "\",\"profile\":\"holdfast-1\",\"threshold\":2,\"keys\":[{\"name\":\"a\",\"key\":\"%s\"},{\"name\":\"b\",\"key\":\"%s\"}],"
             "\"not_before\":1000,\"expires\":2000}", key[0], key[1]);
}
