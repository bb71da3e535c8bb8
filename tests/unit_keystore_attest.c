/* unit_keystore_attest.c - real attestation documents: each gives the verdict its
 * publisher recorded, and no altered copy of one gives another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "keystore/attest.h"
#include "tests/support/check_main.h"
#include "tests/support/vectors.h"

#define FOLDER "attestation/"

static struct { json_t *list; uint8_t *root; size_t root_len; } all;

static json_t *vector(int i)
{
    return json_array_get(all.list, (size_t)i);
}

static uint8_t *document(const json_t *v, size_t *n)
{
    char name[256];
    snprintf(name, sizeof name, FOLDER "%s", vectors_text(v, "file"));
    return vectors_read(name, n);
}

static struct attest_check check_at(int64_t at)
{
    return (struct attest_check){ .root = { all.root, all.root_len }, .at = at, .allow_debug = true };
}

static int64_t number(const json_t *v, const char *key)
{
    return json_integer_value(json_object_get(v, key));
}

static void assert_refused(const void *doc, size_t n, const struct attest_check *want, const char *check, const char *file)
{
    const char *failed = NULL;
    ck_assert_msg(attest_verify(NULL, &failed, doc, n, want).code != E_OK, "%s: accepted, expected refusal by %s", file, check);
    ck_assert_msg(failed && (!check || strcmp(failed, check) == 0), "%s: refused by %s, expected %s", file, failed, check);
}

static void assert_field(const json_t *v, const char *key, struct bytes have)
{
    json_t *want = json_object_get(v, key);
    ck_assert_ptr_nonnull(want);
    if (json_is_null(want)) {
        ck_assert_ptr_null(have.p);
        return;
    }
    size_t n;
    uint8_t *p = vectors_hex(v, key, &n);
    ck_assert_ptr_nonnull(have.p);
    ck_assert_uint_eq(have.n, n);
    ck_assert_mem_eq(have.p, p, n);
    free(p);
}

static void assert_fields(const json_t *v, const struct attest_doc *d)
{
    const char *id = vectors_text(v, "module_id");
    const json_t *pcrs = json_object_get(v, "pcrs");
    ck_assert_uint_eq(d->module_id.n, strlen(id));
    ck_assert_mem_eq(d->module_id.p, id, d->module_id.n);
    ck_assert_uint_eq(d->timestamp_ms, (uint64_t)number(v, "timestamp_ms"));
    ck_assert_uint_eq(d->cabundle_count, (uint64_t)number(v, "n_cabundle"));
    ck_assert_int_eq(attest_is_debug(d), json_is_true(json_object_get(v, "debug_mode")));
    assert_field(v, "public_key", d->public_key);
    assert_field(v, "user_data", d->user_data);
    assert_field(v, "nonce", d->nonce);
    size_t seen = 0;
    for (unsigned i = 0; i < ATTEST_PCRS; i++) {
        char key[4];
        size_t n;
        snprintf(key, sizeof key, "%u", i);
        if (!json_object_get(pcrs, key)) {
            ck_assert_ptr_null(d->pcr[i]);
            continue;
        }
        uint8_t *p = vectors_hex(pcrs, key, &n);
        ck_assert_uint_eq(n, ATTEST_PCR);
        ck_assert_mem_eq(d->pcr[i], p, n);
        free(p);
        seen++;
    }
    ck_assert_uint_eq(seen, json_object_size(pcrs));
}

START_TEST(verdicts)
{
    json_t *v = vector(_i);
    const char *file = vectors_text(v, "file");
    size_t n;
    uint8_t *p = document(v, &n);
    struct attest_check want = check_at(number(v, "verify_at"));
    struct attest_doc d;
    const char *failed = "unset";
    if (strcmp(vectors_text(v, "expect"), "ACCEPT") != 0) {
        assert_refused(p, n, &want, NULL, file);
    } else {
        ASSERT_OK(attest_verify(&d, &failed, p, n, &want));
        ck_assert_ptr_null(failed);
        assert_fields(v, &d);
        /* Without leave, exactly the debug documents are refused, and for that reason. */
        want.allow_debug = false;
        if (json_is_true(json_object_get(v, "debug_mode"))) assert_refused(p, n, &want, "debug", file);
        else ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    }
    free(p);
}
END_TEST

/* A root read before gives the same verdicts, and none when it is not the pinned one. */
START_TEST(roots_read_before)
{
    struct attest_root *root = NULL, *other = NULL;
    size_t checked = 0;
    ASSERT_OK(attest_root_read(&root, (struct bytes){ all.root, all.root_len }));
    ASSERT_CODE(attest_root_read(&other, (struct bytes){ all.root, all.root_len - 1 }), E_AUTH);
    ASSERT_CODE(attest_root_read(&other, (struct bytes){ "", 0 }), E_AUTH);
    ck_assert_ptr_null(other);
    for (int i = 0; i < (int)json_array_size(all.list); i++) {
        size_t n;
        uint8_t *p = document(vector(i), &n);
        struct attest_check want = check_at(number(vector(i), "verify_at"));
        const char *failed = NULL, *again = NULL;
        struct attest_doc d;
        const err e = attest_verify(&d, &failed, p, n, &want);
        want.read_root = root;
        ck_assert_int_eq(attest_verify(NULL, &again, p, n, &want).code, e.code);
        ck_assert(failed == again);
        if (!e.code && !attest_root_read(&other, d.cabundle[1]).code) {
            want.read_root = other;
            assert_refused(p, n, &want, "root", vectors_text(vector(i), "file"));
            attest_root_drop(&other);
            checked++;
        }
        free(p);
    }
    ck_assert_uint_gt(checked, 0);
    attest_root_drop(&root);
    ck_assert_ptr_null(root);
    attest_root_drop(&root);
}
END_TEST

START_TEST(windows)
{
    json_t *v = vector(_i);
    if (strcmp(vectors_text(v, "expect"), "ACCEPT") != 0) return;
    const char *file = vectors_text(v, "file");
    size_t n;
    uint8_t *p = document(v, &n);
    json_t *w = json_object_get(v, "window");
    int64_t from = json_integer_value(json_array_get(w, 0)), to = json_integer_value(json_array_get(w, 1));
    struct attest_check want = check_at(from - 1);
    assert_refused(p, n, &want, "validity", file);
    want.at = from;
    ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    want.at = to;
    ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    want.at = to + 1;
    assert_refused(p, n, &want, "validity", file);
    free(p);
}
END_TEST

START_TEST(negatives_by_name)
{
    static const struct { const char *file, *check; } cases[] = {
        { "NEG-eternis-invalid.bin", "signature" },
        { "NEG-oyster-selfsigned-root.bin", "root" },
        { "NEG-cca-realm-token-not-nitro.bin", "format" },
    };
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < json_array_size(all.list); j++) {
            json_t *v = vector((int)j);
            if (strcmp(vectors_text(v, "file"), cases[i].file) != 0) continue;
            size_t n;
            uint8_t *p = document(v, &n);
            struct attest_check want = check_at(number(v, "verify_at"));
            assert_refused(p, n, &want, cases[i].check, cases[i].file);
            free(p);
        }
}
END_TEST

/* One bit anywhere: a document is never taken for another. Every byte is covered by
 * a signature or by the strictness of the form, so not one altered copy passes. */
START_TEST(bit_flips)
{
    json_t *v = vector(_i);
    if (strcmp(vectors_text(v, "expect"), "ACCEPT") != 0) return;
    size_t n;
    uint8_t *p = document(v, &n);
    struct attest_check want = check_at(number(v, "verify_at"));
    for (size_t at = (size_t)_i; at < n; at += 29) {
        uint8_t bit = (uint8_t)(1u << (at / 29 + (size_t)_i) % 8);
        p[at] ^= bit;
        ck_assert_msg(attest_verify(NULL, NULL, p, n, &want).code != E_OK, "%s: a change of byte %zu passes", vectors_text(v, "file"), at);
        p[at] ^= bit;
    }
    ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    free(p);
}
END_TEST

START_TEST(lengths)
{
    json_t *v = vector(0);
    size_t n;
    uint8_t *p = document(v, &n), *longer = calloc(1, n + 1);
    struct attest_check want = check_at(number(v, "verify_at"));
    for (size_t cut = 0; cut < n; cut++) {
        /* A copy of exactly that size, so that a read beyond it is seen. */
        uint8_t *q = malloc(cut ? cut : 1);
        memcpy(q, p, cut);
        const char *failed = NULL;
        ck_assert_int_eq(attest_verify(NULL, &failed, q, cut, &want).code, E_FORMAT);
        ck_assert_str_eq(failed, "format");
        free(q);
    }
    memcpy(longer, p, n);
    assert_refused(longer, n + 1, &want, "format", "one byte more");
    ASSERT_CODE(attest_verify(NULL, NULL, longer, ATTEST_MAX + 1, &want), E_LIMIT);
    free(longer);
    free(p);
}
END_TEST

static json_t *named(const char *file)
{
    for (size_t j = 0; j < json_array_size(all.list); j++)
        if (strcmp(vectors_text(vector((int)j), "file"), file) == 0) return vector((int)j);
    ck_abort_msg("no vector %s", file);
}

START_TEST(expectations)
{
    json_t *v = named("signal-02-2023-05.bin");
    size_t n;
    uint8_t *p = document(v, &n);
    struct attest_doc d;
    struct attest_check want = check_at(number(v, "verify_at"));
    ASSERT_OK(attest_verify(&d, NULL, p, n, &want));
    struct attest_pcr pcrs[3] = { { .index = 0 }, { .index = 4 }, { .index = 16 } };
    memcpy(pcrs[0].value, d.pcr[0], ATTEST_PCR);
    memcpy(pcrs[1].value, d.pcr[4], ATTEST_PCR);
    want.pcrs = pcrs;
    want.pcr_count = 2;
    ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    want.pcr_count = 3;                                     /* not in the document; zero is no stand-in */
    assert_refused(p, n, &want, "pcr", "PCR16");
    pcrs[2].index = 32;
    assert_refused(p, n, &want, "pcr", "PCR32");
    want.pcr_count = 2;
    pcrs[1].value[47] ^= 1;
    assert_refused(p, n, &want, "pcr", "PCR4");
    want.pcr_count = 0;
    want.nonce = (struct bytes){ "", 0 };                   /* asked for, and the document has null */
    assert_refused(p, n, &want, "nonce", "null nonce");
    want.nonce.p = NULL;
    /* Ten minutes from its timestamp, inside its certificates' window. */
    want.at += 600;
    want.max_age = 599;
    assert_refused(p, n, &want, "age", "old");
    want.max_age = 600;
    ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    free(p);
}
END_TEST

START_TEST(nonces)
{
    json_t *v = named("evervault-beta-2022-10.bin");
    size_t n, nonce_len;
    uint8_t *p = document(v, &n), *nonce = vectors_hex(v, "nonce", &nonce_len);
    struct attest_check want = check_at(number(v, "verify_at"));
    want.nonce = (struct bytes){ nonce, nonce_len };
    ASSERT_OK(attest_verify(NULL, NULL, p, n, &want));
    want.nonce.n--;
    assert_refused(p, n, &want, "nonce", "shorter");
    want.nonce.n++;
    nonce[0] ^= 1;
    assert_refused(p, n, &want, "nonce", "another");
    free(nonce);
    free(p);
}
END_TEST

START_TEST(roots)
{
    json_t *v = vector(0);
    size_t n;
    uint8_t *p = document(v, &n);
    struct attest_check want = check_at(number(v, "verify_at"));
    want.root.n--;
    assert_refused(p, n, &want, "root", "shorter root");
    want.root = (struct bytes){ NULL, 0 };
    assert_refused(p, n, &want, "root", "no root");
    uint8_t *other = malloc(all.root_len);
    memcpy(other, all.root, all.root_len);
    other[all.root_len - 1] ^= 1;                            /* the root's own signature: nobody checks it, but the bytes differ */
    want.root = (struct bytes){ other, all.root_len };
    assert_refused(p, n, &want, "root", "another root");
    free(other);
    free(p);
}
END_TEST

/* The bytes that are signed, against those another program made. */
START_TEST(signed_bytes)
{
    size_t n, want_len, len;
    uint8_t *p = vectors_read(FOLDER "signal-01-debug-2023-05.bin", &n), room[8192];
    uint8_t *want = vectors_read(FOLDER "signal-01-debug-2023-05.sigstructure", &want_len);
    struct cose_sign1 c;
    ASSERT_OK(cose_parse(&c, p, n));
    ASSERT_OK(cose_signed_bytes(room, sizeof room, &len, &c));
    ck_assert_uint_eq(len, want_len);
    ck_assert_mem_eq(room, want, len);
    ASSERT_CODE(cose_signed_bytes(room, len - 1, &len, &c), E_LIMIT);
    free(want);
    free(p);
}
END_TEST

START_TEST(tagged)
{
    json_t *v = vector(0);
    size_t n;
    uint8_t *p = document(v, &n), *q = malloc(n + 1);
    struct attest_check want = check_at(number(v, "verify_at"));
    memcpy(q + 1, p, n);
    q[0] = 0xd2;
    ASSERT_OK(attest_verify(NULL, NULL, q, n + 1, &want));
    q[0] = 0xd1;                                             /* COSE_Mac0 */
    assert_refused(q, n + 1, &want, "format", "tag 17");
    free(q);
    free(p);
}
END_TEST

static Suite *attest(void)
{
    Suite *s = CHECK_SUITE("attest", negatives_by_name, lengths, expectations, nonces, roots, roots_read_before, signed_bytes, tagged);
    TCase *t = tcase_create("documents");
    int n = (int)json_array_size(all.list);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, verdicts, 0, n);
    tcase_add_loop_test(t, windows, 0, n);
    tcase_add_loop_test(t, bit_flips, 0, n);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    vectors_need(FOLDER "vectors.json");
    all.list = vectors_json(FOLDER "vectors.json");
    all.root = vectors_read(FOLDER "AWS_NitroEnclaves_Root-G1.der", &all.root_len);
    return check_main((check_suite *const[]){ attest }, 1);
}
