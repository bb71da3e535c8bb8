/* kms_key.c - the keys of a simulated KMS, one JSON file each. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "sim/files.h"
#include "sim/kms.h"

enum { KEY_FILE_MAX = 4 << 20, UUID = 36 };

void free_json(json_t **j)
{
    json_decref(*j);
    *j = NULL;
}

void kms_key_drop(struct kms_key *k)
{
    json_decref(k->policy);
    json_decref(k->grants);
    json_decref(k->metadata);
    mem_wipe(k, sizeof *k);
}

/* A random UUID, version 4 (RFC 9562). */
static err new_id(char out[static UUID + 1])
{
    uint8_t b[16];
    char h[33];
    TRY(random_bytes(b, sizeof b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    hex_from(h, b, sizeof b);
    snprintf(out, UUID + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
    return OK;
}

static bool is_id(const char *s)
{
    if (strlen(s) != UUID) return false;
    for (size_t i = 0; i < UUID; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? s[i] != '-' : !strchr("0123456789abcdef", s[i])) return false;
    }
    return true;
}

const char *kms_partition(const char *region)
{
    return strncmp(region, "cn-", 3) == 0 ? "aws-cn" : strncmp(region, "us-gov-", 7) == 0 ? "aws-us-gov" : "aws";
}

/* Copy a word into a field; a longer one is refused, never cut. */
static err set_word(char *out, size_t cap, const char *word)
{
    if (!word || strlen(word) >= cap) FAIL(E_FORMAT, "a field of the key is missing or too long");
    memcpy(out, word, strlen(word) + 1);
    return OK;
}
#define SET(field, word) TRY(set_word((field), sizeof(field), (word)))

bool kms_key_symmetric(const struct kms_key *k)
{
    return strcmp(k->spec, "SYMMETRIC_DEFAULT") == 0;
}

static err name_key(struct kms_key *out, const struct kms_key_wish *w)
{
    char id[UUID + 1], arn[ARN_MAX];
    TRY(new_id(id));
    int n = snprintf(arn, sizeof arn, "arn:%s:kms:%s:%s:key/%s", kms_partition(w->region), w->region, w->account, id);
    if (n < 0 || n >= ARN_MAX) FAIL(E_LIMIT, "region or account too long");
    return arn_parse(&out->arn, arn, (size_t)n);
}

err kms_key_make(struct kms_key *out, const struct kms_key_wish *w)
{
    memset(out, 0, sizeof *out);
    TRY(name_key(out, w));
    if (strcmp(w->origin, "AWS_KMS") != 0 && strcmp(w->origin, "EXTERNAL") != 0) FAIL(E_FORMAT, "a key's origin is AWS_KMS or EXTERNAL");
    SET(out->usage, w->usage);
    SET(out->spec, w->spec);
    SET(out->origin, w->origin);
    SET(out->state, "Enabled");
    out->created = (int64_t)time(NULL);
    /* One in 2^32 random strings is not below the order. */
    if (w->d) memcpy(out->d, w->d, sizeof out->d);
    else do TRY(random_bytes(out->d, sizeof out->d)); while (out->d[0] == 0xff);
    if (!kms_key_symmetric(out)) TRY(p256_public(out->spki, out->d));
    out->grants = json_array();
    if (!out->grants) FAIL(E_MEMORY, "no memory for a key");
    out->policy = json_incref(w->policy);
    return OK;
}

static err key_path(char out[static PATH_LONGEST], const char *dir, const char *id)
{
    char name[64];
    snprintf(name, sizeof name, "keys/%.40s.json", id);
    return file_path(out, dir, name);
}

err kms_key_save(const struct kms_key *k, const char *dir)
{
    char path[PATH_LONGEST], d[2 * P256_SCALAR + 1];
    TRY(file_path(path, dir, "keys"));
    TRY(file_folder(path));
    TRY(key_path(path, dir, k->arn.key_id));
    hex_from(d, k->d, sizeof k->d);
    JSON j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:O, s:O, s:O*}", "Arn", k->arn.text, "PrivateKey", d, "KeyUsage", k->usage,
                       "KeySpec", k->spec, "Origin", k->origin, "KeyState", k->state, "Description", k->description,
                       "CreationDate", (json_int_t)k->created, "Policy", k->policy, "Grants", k->grants,
                       "KeyMetadata", k->metadata);
    TEXT text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    if (!text) FAIL(E_MEMORY, "no memory for a key's file");
    return file_write(path, 0600, text, strlen(text));
}

static err parse_key(struct kms_key *out, const char *text, size_t n)
{
    const char *arn, *d, *usage, *spec, *origin, *state, *description;
    json_int_t created = 0;
    json_t *policy = NULL, *grants = NULL, *metadata = NULL;
    json_error_t why;
    JSON j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (!j || json_unpack_ex(j, &why, JSON_STRICT, "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s?o, s?o}", "Arn", &arn, "PrivateKey", &d,
                             "KeyUsage", &usage, "KeySpec", &spec, "Origin", &origin, "KeyState", &state, "Description", &description,
                             "CreationDate", &created, "Policy", &policy, "Grants", &grants, "KeyMetadata", &metadata) != 0)
        FAIL(E_FORMAT, "a key's file: %s", why.text);
    TRY(arn_parse(&out->arn, arn, strlen(arn)));
    TRY(hex_to(out->d, sizeof out->d, d, strlen(d)));
    TRY(policy_check(policy));
    if ((grants && !json_is_array(grants)) || (metadata && !json_is_object(metadata))) FAIL(E_FORMAT, "a key's file: Grants or KeyMetadata");
    SET(out->usage, usage);
    SET(out->spec, spec);
    SET(out->origin, origin);
    SET(out->state, state);
    SET(out->description, description);
    if (!kms_key_symmetric(out)) TRY(p256_public(out->spki, out->d));
    out->created = created;
    out->policy = json_incref(policy);
    out->grants = grants ? json_incref(grants) : json_array();
    out->metadata = json_incref(metadata);
    if (!out->grants) FAIL(E_MEMORY, "no memory for a key");
    return OK;
}

err kms_key_load(struct kms_key *out, const char *dir, const char *key_id)
{
    char path[PATH_LONGEST];
    TEXT text = NULL;
    size_t n = 0;
    struct arn named = { .text = "" };
    memset(out, 0, sizeof *out);
    /* What is not the name of a key, such as an alias, is no key's name. */
    if (strncmp(key_id, "arn:", 4) == 0 && arn_parse(&named, key_id, strlen(key_id)).code) return (err){ E_ABSENT };
    const char *id = named.text[0] ? named.key_id : key_id;
    if (!is_id(id)) return (err){ E_ABSENT };
    TRY(key_path(path, dir, id));
    TRY(file_read(&text, &n, path, KEY_FILE_MAX));
    TRY(parse_key(out, text, n));
    /* The file's name is its id; another account's or region's ARN with this id is another key. */
    if (strcmp(out->arn.key_id, id) != 0) FAIL(E_FORMAT, "%s holds another key", path);
    return named.text[0] && strcmp(named.text, out->arn.text) != 0 ? (err){ E_ABSENT } : OK;
}

err kms_key_regions(json_t **out, const char *dir)
{
    char path[PATH_LONGEST], id[UUID + 1];
    JSON list = json_array();
    TRY(file_path(path, dir, "keys"));
    DIR *d = opendir(path);
    if (!d && errno != ENOENT) FAIL(E_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strlen(e->d_name) != UUID + 5 || strcmp(e->d_name + UUID, ".json") != 0) continue;
        memcpy(id, e->d_name, UUID);
        id[UUID] = 0;
        struct kms_key k;
        if (!kms_key_load(&k, dir, id).code) json_array_append_new(list, json_string(k.arn.region));
        kms_key_drop(&k);
    }
    if (d) closedir(d);
    *out = json_incref(list);
    return OK;
}
