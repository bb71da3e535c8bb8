/* LUKS2 headers on plain files: made, read back, and changed field by field. Opening a mapping
 * needs device-mapper: tests/vm does that. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/mem.h"
#include "diskcrypt/luks.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

enum { SIZE = 4 << 20, JSON = 4096, CSUM = 448 };

struct disk {
    char path[64];
    secret *key;
    struct luks_owner owner;
    uint8_t *head;                        /* LUKS_DATA bytes, as luks_format() left them */
};

static void key_of(secret **key, uint8_t first)
{
    ASSERT_OK(secret_new(key, LUKS_KEY));
    for (unsigned i = 0; i < LUKS_KEY; i++)
        secret_reveal(*key)[i] = (uint8_t)(first + i);
}

static void head_load(uint8_t *head, const char *path)
{
    FD fd = open(path, O_RDONLY);
    ck_assert_int_eq(pread(fd, head, LUKS_DATA, 0), LUKS_DATA);
}

static void head_store(const uint8_t *head, const char *path)
{
    FD fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, head, LUKS_DATA, 0), LUKS_DATA);
}

static void disk_make(struct disk *d)
{
    ASSERT_OK(secret_arena_open(8192));
    strcpy(d->path, "/tmp/holdfast-luks-XXXXXX");
    FD fd = mkstemp(d->path);
    ck_assert(fd >= 0 && ftruncate(fd, SIZE) == 0);
    key_of(&d->key, 1);
    memset(d->owner.service_id, 0xab, 32);
    d->owner.epoch = 3;
    ASSERT_OK(luks_format(d->path, d->key, &d->owner));
    d->head = malloc(LUKS_DATA);
    head_load(d->head, d->path);
}

static void disk_drop(struct disk *d)
{
    unlink(d->path);
    secret_drop(&d->key);
    free(d->head);
    ck_assert_uint_eq(secret_count(), 0);
    secret_arena_close();
}
#define DISK __attribute__((cleanup(disk_drop))) struct disk

/* As an attacker would: with valid checksums, in both copies. */
static void sums(uint8_t *head)
{
    for (int copy = 0; copy < 2; copy++) {
        uint8_t *p = head + copy * LUKS_COPY, sum[32];
        memset(p + CSUM, 0, 64);
        sha256(sum, p, LUKS_COPY);
        memcpy(p + CSUM, sum, 32);
    }
}

/* Replace `from`, which must be there, by `to` in the JSON of both copies. */
static void edit(uint8_t *head, const char *from, const char *to)
{
    for (int copy = 0; copy < 2; copy++) {
        char *json = (char *)head + copy * LUKS_COPY + JSON, *at = strstr(json, from);
        ck_assert_msg(at != NULL, "no %s in %s", from, json);
        char rest[LUKS_COPY];
        snprintf(rest, sizeof rest, "%s", at + strlen(from));
        size_t left = (size_t)(json + LUKS_COPY - JSON - at);
        memset(at, 0, left);
        ck_assert((size_t)snprintf(at, left, "%s%s", to, rest) < left);
    }
    sums(head);
}

START_TEST(made_and_read)
{
    DISK d = { .path = "" };
    disk_make(&d);
    ck_assert(luks_header_is(d.head, LUKS_DATA));
    ck_assert(!luks_header_is(d.head + 1, LUKS_DATA - 1));
    ASSERT_OK(luks_header_check(d.head, &d.owner));
    ASSERT_OK(luks_check(d.path, d.key, &d.owner));
    sums(d.head);                         /* our sums are the library's */
    head_store(d.head, d.path);
    ASSERT_OK(luks_check(d.path, d.key, &d.owner));
    struct stat st;
    ck_assert(stat(d.path, &st) == 0);
    ck_assert_msg(st.st_size == SIZE, "the file grew to %lld", (long long)st.st_size);
    /* Nowhere in it is the key. */
    ck_assert_ptr_null(memmem(d.head, LUKS_DATA, secret_peek(d.key), 16));
}
END_TEST

START_TEST(whose_it_is)
{
    DISK d = { .path = "" };
    SECRET other = NULL;
    SECRET shorter = NULL;
    disk_make(&d);
    struct luks_owner service = d.owner, epoch = d.owner;
    service.service_id[31] ^= 1;
    epoch.epoch = 4;
    ASSERT_CODE(luks_check(d.path, d.key, &service), E_AUTH);
    ASSERT_CODE(luks_check(d.path, d.key, &epoch), E_AUTH);
    key_of(&other, 2);
    ASSERT_CODE(luks_check(d.path, other, &d.owner), E_AUTH);
    ASSERT_OK(secret_new(&shorter, 32));
    ASSERT_CODE(luks_check(d.path, shorter, &d.owner), E_FORMAT);
    ASSERT_CODE(luks_format(d.path, shorter, &d.owner), E_FORMAT);
    secret_drop(&shorter);
    secret_drop(&other);
}
END_TEST

/* A disk that has anything on it gets no new header. */
START_TEST(never_over_something)
{
    DISK d = { .path = "" };
    disk_make(&d);
    ASSERT_CODE(luks_format(d.path, d.key, &d.owner), E_STATE);
    uint8_t *blank = calloc(1, LUKS_DATA);
    blank[LUKS_DATA - 1] = 1;
    head_store(blank, d.path);
    ASSERT_CODE(luks_format(d.path, d.key, &d.owner), E_STATE);
    free(blank);
    ck_assert(truncate(d.path, LUKS_DATA / 2) == 0);
    ASSERT_CODE(luks_format(d.path, d.key, &d.owner), E_FORMAT);
    ASSERT_CODE(luks_check(d.path, d.key, &d.owner), E_FORMAT);
}
END_TEST

static const struct { const char *from, *to; enum err_code want; } edits[] = {
    { "aes-xts-plain64", "cipher_null-ecb", E_FORMAT },
    { "aes-xts-plain64", "aes-cbc-essiv:sha256", E_FORMAT },
    { "aes-xts-plain64", "aes-xts-plain", E_FORMAT },
    { "\"type\":\"crypt\"", "\"type\":\"linear\"", E_FORMAT },
    { "\"sector_size\":4096", "\"sector_size\":512", E_FORMAT },
    { "\"sector_size\":4096", "\"sector_size\":4096,\"flags\":[\"backup-final\"]", E_FORMAT },
    { "\"sector_size\":4096", "\"sector_size\":4096,\"integrity\":{\"type\":\"none\"}", E_FORMAT },
    { "\"sector_size\":4096", "\"sector_size\":4096,\"sector_size\":4096", E_FORMAT },
    { "\"sector_size\":4096", "\"sector_size\":4096.0", E_FORMAT },
    { "\"sector_size\":4096", "\"sector_size\":-4096", E_FORMAT },
    { ",\"sector_size\":4096", "", E_FORMAT },
    { "\"offset\":\"1048576\"", "\"offset\":\"0\"", E_FORMAT },
    { "\"offset\":\"1048576\"", "\"offset\":\"2097152\"", E_FORMAT },
    { "\"size\":\"dynamic\"", "\"size\":\"4096\"", E_FORMAT },
    { "\"iv_tweak\":\"0\"", "\"iv_tweak\":\"1\"", E_FORMAT },
    { "\"sector_size\":4096}", "\"sector_size\":4096},\"1\":{\"type\":\"linear\",\"offset\":\"1048576\",\"size\":\"dynamic\"}", E_FORMAT },
    { "\"segments\":{\"0\"", "\"segments\":{\"1\"", E_FORMAT },
    { "\"keyslots\":{}", "\"keyslots\":{\"0\":{\"type\":\"luks2\",\"key_size\":64}}", E_FORMAT },
    { "\"keyslots\":{}", "\"keyslots\":{\"0\":{\"type\":\"reencrypt\",\"mode\":\"reencrypt\"}}", E_FORMAT },
    { "\"keyslots\":{}", "\"keyslots\":[]", E_FORMAT },
    { "\"config\":{", "\"config\":{\"flags\":[\"allow-discards\"],", E_FORMAT },
    { "\"config\":{", "\"config\":{\"requirements\":{\"mandatory\":[\"online-reencrypt-v2\"]},", E_FORMAT },
    { "\"json_size\":\"12288\"", "\"json_size\":\"28672\"", E_FORMAT },
    { "\"keyslots_size\":\"262144\"", "\"keyslots_size\":\"262145\"", E_FORMAT },
    { "\"iterations\":1000", "\"iterations\":1", E_FORMAT },
    { "\"hash\":\"sha256\"", "\"hash\":\"sha1\"", E_FORMAT },
    { "\"type\":\"pbkdf2\"", "\"type\":\"argon2id\"", E_FORMAT },
    { "\"segments\":[\"0\"]", "\"segments\":[]", E_FORMAT },
    { "\"segments\":[\"0\"]", "\"segments\":[\"0\",\"1\"]", E_FORMAT },
    { "\"salt\":\"", "\"salt\":\"AA", E_FORMAT },
    { "\"digest\":\"", "\"digest\":\"=", E_FORMAT },
    { "\"type\":\"holdfast\"", "\"type\":\"systemd-tpm2\"", E_FORMAT },
    { "\"profile\":\"1\"", "\"profile\":\"2\"", E_FORMAT },
    { "\"epoch\":\"3\"", "\"epoch\":\"03\"", E_AUTH },
    { "\"epoch\":\"3\"", "\"epoch\":\"2\"", E_AUTH },
    { "\"epoch\":\"3\"", "\"epoch\":3", E_AUTH },
    { "\"service\":\"ab", "\"service\":\"ac", E_AUTH },
    { "\"tokens\":{", "\"tokens\":{\"1\":{\"type\":\"x\",\"keyslots\":[]},", E_FORMAT },
    { "\"tokens\"", "\"toke\\u006es\"", E_FORMAT },
    { "{\"keyslots\"", " {\"keyslots\"", E_FORMAT },
    { "{\"keyslots\"", "{\"a\":[[[[[[[[1]]]]]]]],\"keyslots\"", E_FORMAT },
    { "{\"keyslots\":{},", "{\"keyslots\":{},,", E_FORMAT },
    { "{\"keyslots\":{},", "{\"keyslots\":{}", E_FORMAT },
    { "\"262144\"}}", "\"262144\"}", E_FORMAT },
    { "\"262144\"}}", "\"262144\"}}}", E_FORMAT },
};

START_TEST(every_field_is_compared)
{
    DISK d = { .path = "" };
    disk_make(&d);
    uint8_t *head = malloc(LUKS_DATA);
    memcpy(head, d.head, LUKS_DATA);
    edit(head, "\"offset\"", "\"offset\"");
    ASSERT_OK(luks_header_check(head, &d.owner));     /* the editing itself is not what is refused */
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        memcpy(head, d.head, LUKS_DATA);
        edit(head, edits[i].from, edits[i].to);
        enum err_code got = luks_header_check(head, &d.owner).code;
        ck_assert_msg(got == edits[i].want, "%s -> %s: %s", edits[i].from, edits[i].to, err_text(got));
    }
    /* And through the door that is used. */
    memcpy(head, d.head, LUKS_DATA);
    edit(head, "aes-xts-plain64", "cipher_null-ecb");
    head_store(head, d.path);
    ASSERT_CODE(luks_check(d.path, d.key, &d.owner), E_FORMAT);
    free(head);
}
END_TEST

/* May this byte of the binary part be anything, given a right checksum? Sequence number, salt; both copies'. */
static bool is_free(size_t at)
{
    size_t in = at % LUKS_COPY;
    if (at >= 2 * LUKS_COPY || in >= JSON) return false;
    return (in >= 104 && in < 168) || (in >= CSUM && in < CSUM + 64);
}

START_TEST(every_byte_counts)
{
    DISK d = { .path = "" };
    disk_make(&d);
    uint8_t *head = malloc(LUKS_DATA);
    memcpy(head, d.head, LUKS_DATA);
    for (size_t at = 0; at < LUKS_DATA; at += at < 512 || (at >= LUKS_COPY && at < LUKS_COPY + 512) ? 1 : 1021) {
        if (at == LUKS_COPY + 512 + 1021) at = LUKS_COPY + JSON;
        head[at] ^= 0x20;
        if (at < 2 * LUKS_COPY) ASSERT_CODE(luks_header_check(head, &d.owner), E_FORMAT);     /* the sum is wrong */
        sums(head);
        err e = luks_header_check(head, &d.owner);
        ck_assert_msg(is_free(at) == !e.code, "byte %zu: %s", at, err_text(e.code));
        memcpy(head, d.head, 2 * LUKS_COPY);
        head[at] = d.head[at];
    }
    free(head);
}
END_TEST

/* A disk of each profile that ever was must open: its first bytes are kept. Key 1, 2, 3 …; service ab…; epoch 3. */
START_TEST(past_profiles)
{
    DISK d = { .path = "" };
    char path[512];
    disk_make(&d);
    snprintf(path, sizeof path, "%s/tests/fixtures/luks_profile_1.bin", source_dir());
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "no %s", path);
    memset(d.head, 0, LUKS_DATA);
    ck_assert_uint_eq(fread(d.head, 1, 2 * LUKS_COPY, f), 2 * LUKS_COPY);
    fclose(f);
    head_store(d.head, d.path);
    ASSERT_OK(luks_check(d.path, d.key, &d.owner));
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("diskcrypt luks", made_and_read, whose_it_is, never_over_something, every_field_is_compared,
                       every_byte_counts, past_profiles);
}

CHECK_MAIN(suite)
