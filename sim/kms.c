/* kms.c - `holdfast-sim kms`: the program around the simulated KMS. */
#include <getopt.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "sim/files.h"
#include "sim/kms.h"
#include "sim/sim.h"
#include "sim/x509.h"

enum { USAGE = 2, POLICY_MAX = 131072 };

static const char help[] =
    "usage: holdfast-sim kms --state DIR --listen HOST:PORT --nsm-root FILE [--ready-file F] [--account N]\n"
    "                        [--envelope SHAPE] [--misbehave KIND[:COUNT][@CALL]]\n"
    "       holdfast-sim kms --state DIR --new-key (--pcr0 HEX | --policy FILE) [--private HEX] [--region R] [--account N]\n"
    "                        [--origin AWS_KMS|EXTERNAL]\n"
    "\n"
    "Stands in for AWS KMS: HTTPS, JSON 1.1, Signature Version 4, key policies with conditions on\n"
    "kms:RecipientAttestation:PCR<n> and :ImageSha384, and CMS envelopes shaped as AWS's.\n"
    "Calls: DeriveSharedSecret, DescribeKey, GetPublicKey, GetKeyPolicy, ListGrants.\n"
    "\n"
    "  --state DIR       where it lives (made when missing): ca.pem, the development CA for clients to\n"
    "                    pin; ca.key; keys/ID.json, a key each, with its private key and policy;\n"
    "                    credentials.json, written by `holdfast-sim imds`. All are read again for each\n"
    "                    call, so keys, policies and states may be edited while it runs\n"
    "  --listen H:P      address to serve on; port 0 takes a free one\n"
    "  --nsm-root FILE   PEM of the root that attestation documents must lead to\n"
    "  --ready-file F    gets HOST:PORT once it listens\n"
    "  --envelope SHAPE  how an envelope is encoded: constructed, primitive (AWS sends both), pieces,\n"
    "                    definite, definite-pieces, der (constructed)\n"
    "  --misbehave WHAT  written to the file misbehave of the state folder, which is read for each call\n"
    "                    and may be changed or removed at any time: KIND, how many calls it spoils\n"
    "                    (all), and in which call (those that give out secrets). Kinds:\n"
    "                      throttle, error500   refuse it so\n"
    "                      wrong-key-id, external-origin   say that another key, or an imported one, answered\n"
    "                      other-recipient      an envelope for somebody else's key\n"
    "                      short-secret, long-secret   one byte less, or more, in the envelope\n"
    "                      plaintext, plaintext-only   the secret in clear beside the envelope, or instead\n"
    "                      replay               the last answer to this call again\n"
    "                      garbage, truncated   no JSON; half of the body, then the connection ends\n"
    "                      slow                 answer after 12 seconds\n"
    "                      wrong-ca             a certificate of another CA; looked at when it starts\n"
    "\n"
    "  --new-key         make a P-256 KEY_AGREEMENT key, print its ARN, and end\n"
    "  --pcr0 HEX        its policy: DeriveSharedSecret for enclaves with this PCR0 only; the calls\n"
    "                    that only read for anyone\n"
    "  --policy FILE     its policy, a JSON document\n"
    "  --private HEX     its private key, 32 bytes (random)\n"
    "  --region R        (us-east-1)   --account N  (111122223333)   --origin O  (AWS_KMS)\n"
    "\n"
    "Ends with status 0 on SIGTERM or SIGINT.\n";

struct options {
    const char *dir, *listen, *root, *ready, *misbehave;
    enum cms_shape envelope;
    const char *private_hex, *region, *account, *pcr0, *policy, *origin;
    bool new_key, help;
};

static err parse_options(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {
        { "state", required_argument, NULL, 's' },   { "listen", required_argument, NULL, 'l' },  { "nsm-root", required_argument, NULL, 'n' },
        { "ready-file", required_argument, NULL, 'r' }, { "envelope", required_argument, NULL, 'e' },
        { "misbehave", required_argument, NULL, 'm' }, { "new-key", no_argument, NULL, 'k' },
        { "private", required_argument, NULL, 'd' }, { "region", required_argument, NULL, 'R' },  { "account", required_argument, NULL, 'a' },
        { "pcr0", required_argument, NULL, 'p' },    { "policy", required_argument, NULL, 'P' },  { "origin", required_argument, NULL, 'o' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 's': o->dir = optarg; break;
        case 'l': o->listen = optarg; break;
        case 'n': o->root = optarg; break;
        case 'r': o->ready = optarg; break;
        case 'e': TRY(cms_shape_parse(&o->envelope, optarg)); break;
        case 'm': o->misbehave = optarg; break;
        case 'k': o->new_key = true; break;
        case 'd': o->private_hex = optarg; break;
        case 'R': o->region = optarg; break;
        case 'a': o->account = optarg; break;
        case 'p': o->pcr0 = optarg; break;
        case 'P': o->policy = optarg; break;
        case 'o': o->origin = optarg; break;
        case 'h': o->help = true; return OK;
        default: FAIL(E_FORMAT, "unknown option");
        }
    }
    if (optind != argc || !o->dir) FAIL(E_FORMAT, "--state is needed");
    if (o->new_key && !o->pcr0 == !o->policy) FAIL(E_FORMAT, "--new-key takes one of --pcr0 and --policy");
    if (!o->new_key && (!o->listen || !o->root)) FAIL(E_FORMAT, "--listen and --nsm-root are needed");
    return OK;
}

static err read_policy(json_t **out, const struct options *o)
{
    uint8_t pcr0[ATTEST_PCR];
    TEXT text = NULL;
    size_t n = 0;
    if (o->pcr0) {
        TRY(hex_to(pcr0, sizeof pcr0, o->pcr0, strlen(o->pcr0)));
        return policy_for_pcr0(out, o->pcr0);
    }
    err e = file_read(&text, &n, o->policy, POLICY_MAX);
    if (e.code == E_ABSENT) FAIL(E_ABSENT, "%s: no such file", o->policy);
    TRY(e);
    return policy_parse(out, text, n);
}

static err new_key(const struct options *o)
{
    uint8_t d[P256_SCALAR];
    JSON policy = NULL;
    __attribute__((cleanup(kms_key_drop))) struct kms_key k = { .policy = NULL };
    if (o->private_hex) TRY(hex_to(d, sizeof d, o->private_hex, strlen(o->private_hex)));
    TRY(read_policy(&policy, o));
    TRY(file_folder(o->dir));
    TRY(kms_key_make(&k, &(struct kms_key_wish){ .region = o->region, .account = o->account, .origin = o->origin, .usage = "KEY_AGREEMENT",
                                                 .spec = "ECC_NIST_P256", .d = o->private_hex ? d : NULL, .policy = policy }));
    TRY(tls_open(NULL, NULL, o->dir, NULL, false));
    TRY(kms_key_save(&k, o->dir));
    if (printf("%s\n", k.arn.text) < 0 || fflush(stdout) != 0) FAIL(E_IO, "standard output");
    return OK;
}

/* The pinned root as DER, from PEM. */
static err read_root(struct kms_server *s, const char *path)
{
    FREED_BY(free_bio) BIO *b = BIO_new_file(path, "rb");
    CERT x = b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
    ERR_clear_error();
    if (!x) FAIL(E_FORMAT, "%s: no PEM certificate there", path);
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    if (n <= 0) CRYPTO_FAIL("the root could not be encoded");
    s->root = der;
    s->root_len = (size_t)n;
    return OK;
}

static void drop_server(struct kms_server *s)
{
    OPENSSL_free(s->root);
    json_decref(s->last);
}

static err run(const struct options *o)
{
    JSON regions = NULL;
    TEXT key_pem = NULL;
    TEXT chain_pem = NULL;
    __attribute__((cleanup(drop_server))) struct kms_server s = { .dir = o->dir, .account = o->account, .shape = o->envelope, .last = json_object() };
    enum misbehaviour does = BEHAVES;
    TRY(file_folder(o->dir));
    if (o->misbehave) TRY(misbehave_set(o->dir, o->misbehave));
    TRY(misbehave_read(&does, o->dir));
    TRY(read_root(&s, o->root));
    TRY(kms_key_regions(&regions, o->dir));
    TRY(tls_open(&key_pem, &chain_pem, o->dir, regions, does == WRONG_CA));
    log_warn("SIMULATOR: development trust anchors; keys in %s are in plain files", o->dir);
    return serve(&(struct serve_config){ .what = "SIMULATED KMS", .listen = o->listen, .ready_file = o->ready, .key_pem = key_pem,
                                         .chain_pem = chain_pem, .handler = kms_handle, .self = &s });
}

int sim_kms_main(int argc, char **argv)
{
    struct options o = { .region = "us-east-1", .account = "111122223333", .origin = "AWS_KMS" };
    log_open("sim-kms", LOG_INFO);
    if (parse_options(&o, argc, argv).code) {
        fputs(help, stderr);
        return USAGE;
    }
    if (o.help) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    return (o.new_key ? new_key(&o) : run(&o)).code ? EXIT_FAILURE : EXIT_SUCCESS;
}
