/* kms_tls.c - the development CA that stands where the public ones do. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/mem.h"
#include "sim/files.h"
#include "sim/kms.h"
#include "sim/x509.h"

enum { HOUR = 3600, DAY = 24 * HOUR, NAMES_MAX = 8192 };

/* Regions a key may name later, while the server runs. */
static const char *const regions_known[] = {
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "ca-west-1", "sa-east-1", "mx-central-1",
    "eu-central-1", "eu-central-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2",
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2",
    "ap-southeast-3", "ap-southeast-4", "ap-east-1", "me-central-1", "me-south-1", "il-central-1", "af-south-1",
    "us-gov-east-1", "us-gov-west-1", "cn-north-1", "cn-northwest-1",
};

struct authority { EVP_PKEY *key; X509 *cert; };
static void drop_authority(struct authority *a)
{
    EVP_PKEY_free(a->key);
    X509_free(a->cert);
}

static err take_bio(char **out, BIO *b)
{
    char *p = NULL;
    long n = BIO_get_mem_data(b, &p);
    *out = n > 0 ? strndup(p, (size_t)n) : NULL;
    if (!*out) FAIL(E_MEMORY, "no memory for PEM");
    return OK;
}

static err write_pem(char **key_pem, char **cert_pem, EVP_PKEY *key, X509 *cert, X509 *issuer)
{
    FREED_BY(free_bio) BIO *k = BIO_new(BIO_s_mem());
    FREED_BY(free_bio) BIO *c = BIO_new(BIO_s_mem());
    if (!k || !c || !PEM_write_bio_PKCS8PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) || !PEM_write_bio_X509(c, cert)
        || (issuer && !PEM_write_bio_X509(c, issuer)))
        CRYPTO_FAIL("a key or certificate could not be encoded");
    TEXT first = NULL;
    TRY(take_bio(&first, k));
    TRY(take_bio(cert_pem, c));
    *key_pem = take_text(&first);
    return OK;
}

static err generate_authority(struct authority *a)
{
    a->key = EVP_EC_gen("P-256");
    if (!a->key) CRYPTO_FAIL("no P-256 key could be made");
    TRY(x509_begin(&a->cert, "holdfast-sim development CA", a->key, NULL, (int64_t)time(NULL) - HOUR, (int64_t)3650 * DAY));
    TRY(x509_extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    TRY(x509_extension(a->cert, a->cert, NID_key_usage, "critical,keyCertSign,cRLSign"));
    TRY(x509_extension(a->cert, a->cert, NID_subject_key_identifier, "hash"));
    if (X509_sign(a->cert, a->key, EVP_sha256()) <= 0) CRYPTO_FAIL("the CA could not be signed");
    return OK;
}

static err make_authority(struct authority *a, const char *key_path, const char *cert_path)
{
    TEXT key_pem = NULL;
    TEXT cert_pem = NULL;
    TRY(generate_authority(a));
    TRY(write_pem(&key_pem, &cert_pem, a->key, a->cert, NULL));
    TRY(file_write(key_path, 0600, key_pem, strlen(key_pem)));
    return file_write(cert_path, 0644, cert_pem, strlen(cert_pem));
}

static err load_authority(struct authority *a, const char *key_path, const char *cert_path)
{
    FREED_BY(free_bio) BIO *k = BIO_new_file(key_path, "rb");
    FREED_BY(free_bio) BIO *c = BIO_new_file(cert_path, "rb");
    a->key = k ? PEM_read_bio_PrivateKey(k, NULL, NULL, NULL) : NULL;
    a->cert = c ? PEM_read_bio_X509(c, NULL, NULL, NULL) : NULL;
    ERR_clear_error();
    if (!a->key || !a->cert) FAIL(E_FORMAT, "%s or %s does not parse", key_path, cert_path);
    if (!X509_check_private_key(a->cert, a->key)) FAIL(E_FORMAT, "%s is not the key of %s", key_path, cert_path);
    return OK;
}

static err open_authority(struct authority *a, const char *dir)
{
    char key_path[PATH_LONGEST], cert_path[PATH_LONGEST];
    TRY(file_path(key_path, dir, "ca.key"));
    TRY(file_path(cert_path, dir, "ca.pem"));
    bool key = access(key_path, F_OK) == 0, cert = access(cert_path, F_OK) == 0;
    /* Others have pinned the old one: half of it is a fault, never a reason to make another. */
    if (key != cert) FAIL(E_ABSENT, "%s: one of ca.key, ca.pem is missing; a new CA is not made", dir);
    return key ? load_authority(a, key_path, cert_path) : make_authority(a, key_path, cert_path);
}

static void add_region(char *names, size_t *at, const char *region)
{
    const char *suffix = strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
    size_t room = NAMES_MAX - *at;
    int n = snprintf(names + *at, room, ",DNS:kms.%s.%s,DNS:kms-fips.%s.%s", region, suffix, region, suffix);
    if (n > 0 && (size_t)n < room) *at += (size_t)n;
    else names[*at] = 0;
}

static err issue_server(char **key_pem, char **chain_pem, const struct authority *a, const json_t *regions)
{
    char names[NAMES_MAX];
    size_t at = (size_t)snprintf(names, sizeof names, "DNS:localhost,IP:127.0.0.1");
    for (size_t i = 0; i < sizeof regions_known / sizeof *regions_known; i++) add_region(names, &at, regions_known[i]);
    for (size_t i = 0; i < json_array_size(regions); i++) add_region(names, &at, json_string_value(json_array_get(regions, i)));
    PKEY key = EVP_EC_gen("P-256");
    CERT x = NULL;
    if (!key) CRYPTO_FAIL("no P-256 key could be made");
    TRY(x509_begin(&x, "holdfast-sim kms", key, a->cert, (int64_t)time(NULL) - HOUR, 90 * DAY));
    TRY(x509_extension(x, a->cert, NID_basic_constraints, "critical,CA:FALSE"));
    TRY(x509_extension(x, a->cert, NID_key_usage, "critical,digitalSignature"));
    TRY(x509_extension(x, a->cert, NID_ext_key_usage, "serverAuth"));
    TRY(x509_extension(x, a->cert, NID_authority_key_identifier, "keyid:always"));
    TRY(x509_extension(x, a->cert, NID_subject_alt_name, names));
    if (X509_sign(x, a->key, EVP_sha256()) <= 0) CRYPTO_FAIL("the server's certificate could not be signed");
    return write_pem(key_pem, chain_pem, key, x, a->cert);
}

err tls_open(char **key_pem, char **chain_pem, const char *dir, const json_t *regions, bool stranger)
{
    FREED_BY(drop_authority) struct authority a = { NULL, NULL };
    TRY(stranger ? generate_authority(&a) : open_authority(&a, dir));
    return key_pem ? issue_server(key_pem, chain_pem, &a, regions) : OK;
}
