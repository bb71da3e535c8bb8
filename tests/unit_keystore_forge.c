/* unit_keystore_forge.c - documents and chains made here: every form AWS may send
 * is taken, and each rule has a document that breaks it alone. */
#include <openssl/ec.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "keystore/attest.h"
#include "keystore/cbor.h"
#include "tests/keystore_chain.h"
#include "tests/support/check_main.h"

enum { NOW = 1800000000, LINKS = 5 };

static const struct chain_link good_links[LINKS] = {
    { "critical,CA:TRUE", "critical,digitalSignature,keyCertSign,cRLSign", NOW - 100000, NOW + 100000, .curve = NULL },
    { "critical,CA:TRUE,pathlen:2", "critical,keyCertSign", NOW - 9000, NOW + 9000, .curve = NULL },
    { "critical,CA:TRUE,pathlen:1", "critical,keyCertSign", NOW - 8000, NOW + 8000, .curve = NULL },
    { "critical,CA:TRUE,pathlen:0", "critical,keyCertSign", NOW - 7000, NOW + 7000, .curve = NULL },
    { "critical,CA:FALSE", "digitalSignature,nonRepudiation", NOW - 3, NOW + 10800, .curve = NULL },
};

static struct chain good;

/* ---- a document as a list of named values, each its own CBOR ------------------ */

struct value { const char *name; uint8_t bytes[8192]; size_t len; };
struct form { struct value v[16]; size_t n; bool indefinite, tail; };

static struct wr value_writer(struct value *v)
{
    return wr_of(v->bytes, sizeof v->bytes);
}

static struct value *find(struct form *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->v[i].name, name) == 0) return &f->v[i];
    ck_abort_msg("no field %s", name);
}

static void set_raw(struct form *f, const char *name, const void *p, size_t n)
{
    struct value *v = find(f, name);
    memcpy(v->bytes, p, n);
    v->len = n;
}
#define RAW(f, name, literal) set_raw((f), (name), literal, sizeof(literal) - 1)

static void set_bytes(struct form *f, const char *name, size_t n)
{
    static const uint8_t fill[4096] = { 1 };
    struct value *v = find(f, name);
    struct wr w = value_writer(v);
    cb_put_bytes(&w, (struct bytes){ fill, n });
    v->len = w.len;
}

static void add(struct form *f, const char *name, const void *p, size_t n)
{
    f->v[f->n].name = name;
    f->n++;
    set_raw(f, name, p, n);
}

static void put_pcrs(struct wr *w, size_t count, size_t len, bool open)
{
    static const uint8_t fill[64] = { 9 };
    if (open) cb_put_map_open(w);
    else cb_put_map(w, count);
    for (size_t i = 0; i < count; i++) {
        cb_put_uint(w, i);
        cb_put_bytes(w, (struct bytes){ fill, len });
    }
    if (open) cb_put_break(w);
}

static void set_pcrs(struct form *f, size_t count, size_t len, bool open)
{
    struct value *v = find(f, "pcrs");
    struct wr w = value_writer(v);
    put_pcrs(&w, count, len, open);
    v->len = w.len;
}

/* The bundle in the order of `order`, indexes into the chain. */
static void set_bundle(struct form *f, const struct chain *c, const size_t *order, size_t n, bool open)
{
    struct value *v = find(f, "cabundle");
    struct wr w = value_writer(v);
    if (open) wr_u8(&w, 0x9f);
    else cb_put_array(&w, n);
    for (size_t i = 0; i < n; i++) cb_put_bytes(&w, (struct bytes){ c->der[order[i]], c->len[order[i]] });
    if (open) cb_put_break(&w);
    ASSERT_OK(wr_end(&w, "bundle"));
    v->len = w.len;
}

static void good_form(struct form *f, const struct chain *c)
{
    static const size_t order[CHAIN_MAX] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    memset(f, 0, sizeof *f);
    add(f, "module_id", "\x68i-1-enc2", 9);
    add(f, "digest", "\x66SHA384", 7);
    struct value *v = &f->v[f->n++];
    v->name = "timestamp";
    struct wr w = value_writer(v);
    cb_put_uint(&w, (uint64_t)NOW * 1000);
    v->len = w.len;
    add(f, "pcrs", "", 0);
    set_pcrs(f, 16, 48, false);
    v = &f->v[f->n++];
    v->name = "certificate";
    w = value_writer(v);
    cb_put_bytes(&w, (struct bytes){ c->der[c->n - 1], c->len[c->n - 1] });
    v->len = w.len;
    add(f, "cabundle", "", 0);
    set_bundle(f, c, order, c->n - 1, false);
    add(f, "public_key", "\xf6", 1);
    add(f, "user_data", "\xf6", 1);
    add(f, "nonce", "\xf6", 1);
}

static void drop(struct form *f, const char *name)
{
    struct value *v = find(f, name);
    size_t i = (size_t)(v - f->v);
    memmove(v, v + 1, (f->n - i - 1) * sizeof *v);
    f->n--;
}

static size_t build(uint8_t doc[static ATTEST_MAX], const struct form *f, struct chain *c)
{
    static uint8_t payload[ATTEST_MAX];
    size_t len = 0;
    struct wr w = wr_of(payload, sizeof payload);
    if (f->indefinite) cb_put_map_open(&w);
    else cb_put_map(&w, f->n);
    for (size_t i = 0; i < f->n; i++) {
        cb_put_text(&w, f->v[i].name);
        wr_bytes(&w, f->v[i].bytes, f->v[i].len);
    }
    if (f->indefinite) cb_put_break(&w);
    if (f->tail) wr_u8(&w, 0);
    ASSERT_OK(wr_end(&w, "payload"));
    ASSERT_OK(cose_build(doc, ATTEST_MAX, &len, (struct bytes){ payload, w.len }, chain_sign, c));
    return len;
}

static const char *verify(const struct form *f, struct chain *c)
{
    static uint8_t doc[ATTEST_MAX];
    const char *failed = NULL;
    size_t n = build(doc, f, c);
    struct attest_check want = { .root = { c->der[0], c->len[0] }, .at = NOW };
    err e = attest_verify(NULL, &failed, doc, n, &want);
    ck_assert_int_eq(e.code == E_OK, failed == NULL);
    return failed ? failed : "accepted";
}

#define EXPECT(want, change) do { \
        struct form f; \
        good_form(&f, &good); \
        change; \
        const char *got_ = verify(&f, &good); \
        ck_assert_msg(strcmp(got_, (want)) == 0, "%s: %s, expected %s", #change, got_, (want)); \
    } while (0)

/* ---- forms ------------------------------------------------------------------- */

START_TEST(forms_taken)
{
    EXPECT("accepted", (void)f);
    EXPECT("accepted", f.indefinite = true);
    EXPECT("accepted", set_pcrs(&f, 16, 48, true));
    EXPECT("accepted", set_pcrs(&f, 32, 48, false));
    EXPECT("accepted", set_pcrs(&f, 1, 48, false));
    EXPECT("accepted", set_bundle(&f, &good, (const size_t[]){ 0, 1, 2, 3 }, 4, true));
    EXPECT("accepted", drop(&f, "nonce"));
    EXPECT("accepted", (drop(&f, "nonce"), drop(&f, "user_data"), drop(&f, "public_key"), f.indefinite = true));
    EXPECT("accepted", RAW(&f, "public_key", "\x40"));
    EXPECT("accepted", RAW(&f, "user_data", "\x40"));
    EXPECT("accepted", RAW(&f, "nonce", "\x40"));
    EXPECT("accepted", set_bytes(&f, "public_key", 1024));
    EXPECT("accepted", set_bytes(&f, "user_data", 512));
    EXPECT("accepted", set_bytes(&f, "nonce", 512));
    /* Fields of tomorrow: signed, and skipped whatever they hold. */
    EXPECT("accepted", add(&f, "new", "\x01", 1));
    EXPECT("accepted", add(&f, "new", "\xbf\x61" "a\x82\x01\x9f\xff\x61" "b\x5f\x41\x00\xff\xff", 14));
    EXPECT("accepted", add(&f, "new", "\xd2\xfb\0\0\0\0\0\0\0\0", 10));
    EXPECT("accepted", add(&f, "", "\xf5", 1));
}
END_TEST

START_TEST(forms_refused)
{
    static const char *const needed[] = { "module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle" };
    static const char *const all[] = { "module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key", "user_data", "nonce" };
    for (size_t i = 0; i < 6; i++) {
        EXPECT("format", drop(&f, needed[i]));
        EXPECT("format", RAW(&f, needed[i], "\xf6"));
    }
    for (size_t i = 0; i < 9; i++) {
        EXPECT("format", (f.v[f.n] = *find(&f, all[i]), f.n++));                 /* twice */
        EXPECT("format", RAW(&f, all[i], "\xf4"));                               /* a bool */
        EXPECT("format", RAW(&f, all[i], "\xf7"));                               /* undefined */
    }
    EXPECT("format", (add(&f, "new", "\x01", 1), f.v[f.n] = f.v[f.n - 1], f.n++));
    EXPECT("format", f.tail = true);                                              /* a byte after the map */
    EXPECT("format", add(&f, "new", "\xff", 1));
    EXPECT("format", add(&f, "new", "\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x81\x01", 20));
    EXPECT("format", add(&f, "new", "\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", 9));
    EXPECT("format", RAW(&f, "module_id", "\x60"));
    EXPECT("format", RAW(&f, "module_id", "\x63" "a b"));
    EXPECT("format", RAW(&f, "module_id", "\x63" "a\0b"));
    EXPECT("format", RAW(&f, "digest", "\x66SHA256"));
    EXPECT("format", RAW(&f, "digest", "\x66sha384"));
    EXPECT("format", RAW(&f, "digest", "\x67SHA3840"));
    EXPECT("format", RAW(&f, "timestamp", "\x00"));
    EXPECT("format", RAW(&f, "timestamp", "\x20"));
    EXPECT("format", RAW(&f, "timestamp", "\x1b\xff\xff\xff\xff\xff\xff\xff\xff"));
    EXPECT("format", set_bytes(&f, "public_key", 1025));
    EXPECT("format", set_bytes(&f, "user_data", 513));
    EXPECT("format", set_bytes(&f, "nonce", 513));
    EXPECT("format", set_bytes(&f, "certificate", 0));
    EXPECT("format", set_bytes(&f, "certificate", 1025));
    EXPECT("format", RAW(&f, "nonce", "\x5f\x41\x01\xff"));                      /* in chunks: nobody sends that */
    EXPECT("format", RAW(&f, "cabundle", "\x80"));
    EXPECT("format", RAW(&f, "cabundle", "\x9f\xff"));
    EXPECT("format", RAW(&f, "cabundle", "\x81\x40"));
    EXPECT("format", RAW(&f, "cabundle", "\x81\xf6"));
    EXPECT("format", RAW(&f, "cabundle", "\xa0"));
    EXPECT("format", RAW(&f, "cabundle", "\x89\x41\1\x41\1\x41\1\x41\1\x41\1\x41\1\x41\1\x41\1\x41\1"));
}
END_TEST

START_TEST(pcrs_refused)
{
    EXPECT("format", RAW(&f, "pcrs", "\xa0"));
    EXPECT("format", RAW(&f, "pcrs", "\xbf\xff"));
    EXPECT("format", RAW(&f, "pcrs", "\x80"));
    EXPECT("format", set_pcrs(&f, 33, 48, false));
    EXPECT("format", set_pcrs(&f, 16, 47, false));
    EXPECT("format", set_pcrs(&f, 16, 32, false));
    EXPECT("format", set_pcrs(&f, 16, 64, false));
    EXPECT("format", set_pcrs(&f, 16, 0, false));
    struct form f;
    good_form(&f, &good);
    struct value *v = find(&f, "pcrs");
    v->bytes[1 + 51] = 0x00;                                                      /* PCR1's index: PCR0 twice */
    ck_assert_str_eq(verify(&f, &good), "format");
    v->bytes[1 + 51] = 0x20;                                                      /* -1 */
    ck_assert_str_eq(verify(&f, &good), "format");
    good_form(&f, &good);
    memset(find(&f, "pcrs")->bytes + 4, 0, 48);
    ck_assert_str_eq(verify(&f, &good), "debug");
    good_form(&f, &good);
    find(&f, "pcrs")->bytes[1] = 0x10;                                            /* PCR16 in PCR0's place: no PCR0 at all */
    ck_assert_str_eq(verify(&f, &good), "debug");
}
END_TEST

START_TEST(any_order)
{
    struct form f, g;
    good_form(&f, &good);
    g = f;
    for (size_t i = 0; i < f.n; i++) g.v[i] = f.v[f.n - 1 - i];
    ck_assert_str_eq(verify(&g, &good), "accepted");
}
END_TEST

/* ---- the envelope: COSE ---------------------------------------------------------- */

static const char *cose_with(const void *head, size_t head_len, const void *tail, size_t tail_len, size_t sig_len)
{
    static uint8_t doc[ATTEST_MAX], out[ATTEST_MAX + 64];
    struct form f;
    struct cose_sign1 c;
    const char *failed = NULL;
    good_form(&f, &good);
    size_t n = build(doc, &f, &good);
    ASSERT_OK(cose_parse(&c, doc, n));
    struct wr w = wr_of(out, sizeof out);
    wr_bytes(&w, head, head_len);
    cb_put_bytes(&w, c.payload);
    cb_put_bytes(&w, (struct bytes){ c.signature, sig_len });
    wr_bytes(&w, tail, tail_len);
    struct attest_check want = { .root = { good.der[0], good.len[0] }, .at = NOW };
    err e = attest_verify(NULL, &failed, out, w.len, &want);
    return e.code ? failed : "accepted";
}
#define HEAD(want, head, tail) ck_assert_str_eq(cose_with(head, sizeof(head) - 1, tail, sizeof(tail) - 1, 96), (want))

START_TEST(cose_forms)
{
    HEAD("accepted", "\x84\x44\xa1\x01\x38\x22\xa0", "");
    HEAD("accepted", "\xd2\x84\x44\xa1\x01\x38\x22\xa0", "");
    HEAD("accepted", "\xd8\x12\x84\x44\xa1\x01\x38\x22\xa0", "");             /* the tag in two bytes */
    HEAD("accepted", "\x9f\x44\xa1\x01\x38\x22\xa0", "\xff");
    HEAD("accepted", "\x84\x44\xa1\x01\x38\x22\xbf\xff", "");
    HEAD("format", "\xd2\xd2\x84\x44\xa1\x01\x38\x22\xa0", "");
    HEAD("format", "\x84\x44\xa1\x01\x38\x22\xa0", "\0");                     /* a byte after the end */
    HEAD("format", "\x85\x44\xa1\x01\x38\x22\xa0", "\0");
    HEAD("format", "\x83\x44\xa1\x01\x38\x22\xa0", "");
    HEAD("format", "\x9f\x44\xa1\x01\x38\x22\xa0", "\0\xff");
    HEAD("format", "\x9f\x44\xa1\x01\x38\x22\xa0", "");
    HEAD("format", "\x84\x44\xa1\x01\x38\x22\xa1\x04\x41\x01", "");           /* something unsigned */
    HEAD("format", "\x84\x44\xa1\x01\x38\x22\x80", "");
    HEAD("format", "\x84\x40\xa0", "");                                        /* no protected header */
    HEAD("format", "\x84\x41\xa0\xa0", "");                                    /* no alg in it */
    HEAD("format", "\x84\x47\xa2\x01\x38\x22\x02\x81\x01\xa0", "");           /* crit */
    HEAD("format", "\x84\x47\xa2\x01\x38\x22\x01\x38\x22\xa0", "");           /* alg twice */
    HEAD("format", "\x84\x45\xa1\x01\x38\x22\x00\xa0", "");                   /* a byte too many in it */
    HEAD("format", "\x84\xa1\x01\x38\x22\xa0", "");                            /* not in a byte string */
    HEAD("algorithm", "\x84\x43\xa1\x01\x26\xa0", "");                         /* ES256 */
    HEAD("algorithm", "\x84\x44\xa1\x01\x38\x23\xa0", "");                    /* ES512 */
    HEAD("algorithm", "\x84\x43\xa1\x01\x20\xa0", "");                         /* -1: what QEMU says */
    HEAD("algorithm", "\x84\x48\xa1\x01\x65" "ES384\xa0", "");
    /* Signed, so another label is harmless to skip; but this signature is not over it. */
    HEAD("signature", "\x84\x47\xa2\x01\x38\x22\x04\x41\x01\xa0", "");
    ck_assert_str_eq(cose_with("\x84\x44\xa1\x01\x38\x22\xa0", 7, "", 0, 95), "format");
}
END_TEST

/* ---- chains ------------------------------------------------------------------- */

static struct chain_link changed[CHAIN_MAX];

static const char *try_chain(size_t n)
{
    struct chain c;
    struct form f;
    chain_make(&c, changed, n);
    good_form(&f, &c);
    const char *got = verify(&f, &c);
    chain_free(&c);
    return got;
}

#define CHAIN(want, change) do { \
        memcpy(changed, good_links, sizeof good_links); \
        change; \
        const char *got_ = try_chain(LINKS); \
        ck_assert_msg(strcmp(got_, (want)) == 0, "%s: %s, expected %s", #change, got_, (want)); \
    } while (0)

START_TEST(chain_rules)
{
    CHAIN("accepted", (void)changed);
    for (size_t i = 0; i < 4; i++) {
        CHAIN("certificates", changed[i].basic = "critical,CA:FALSE");
        CHAIN("certificates", changed[i].basic = NULL);
        CHAIN("certificates", changed[i].usage = "critical,digitalSignature");
        CHAIN("certificates", changed[i].usage = NULL);
    }
    for (size_t i = 0; i < LINKS; i++) {
        if (i < 4) CHAIN("certificates", changed[i].curve = "P-256");
        CHAIN("certificates", changed[i].sha256 = true);
        CHAIN("certificates", changed[i].unknown_critical = true);
        CHAIN("certificates", (changed[i].version1 = true, changed[i].basic = NULL, changed[i].usage = NULL));
        CHAIN("certificates", changed[i].version1 = true);
        /* The root is known by its bytes, and so not by the name of its issuer nor by its own signature. */
        if (i > 0) CHAIN("chain", changed[i].wrong_issuer_name = true);
        if (i > 0) CHAIN("chain", changed[i].break_signature = true);
    }
    CHAIN("certificates", changed[4].basic = "critical,CA:TRUE");
    CHAIN("certificates", changed[4].usage = "keyEncipherment");
    CHAIN("certificates", changed[4].usage = NULL);
    CHAIN("accepted", changed[4].basic = NULL);
    CHAIN("chain", changed[1].basic = "critical,CA:TRUE,pathlen:1");
    CHAIN("chain", changed[2].basic = "critical,CA:TRUE,pathlen:0");
    CHAIN("chain", changed[0].basic = "critical,CA:TRUE,pathlen:0");
    CHAIN("accepted", changed[0].basic = "critical,CA:TRUE,pathlen:3");
}
END_TEST

START_TEST(chain_dates)
{
    for (size_t i = 0; i < LINKS; i++) {
        CHAIN("accepted", changed[i].from = NOW);
        CHAIN("validity", changed[i].from = NOW + 1);
        CHAIN("accepted", changed[i].to = NOW);
        CHAIN("validity", changed[i].to = NOW - 1);
    }
}
END_TEST

START_TEST(chain_order)
{
    static const struct { size_t order[6], n; const char *want; } cases[] = {
        { { 0, 1, 2, 3 }, 4, "accepted" },
        { { 0, 2, 1, 3 }, 4, "chain" },
        { { 0, 3, 2, 1 }, 4, "chain" },
        { { 0, 1, 2 }, 3, "chain" },
        { { 0, 1, 3 }, 3, "chain" },
        { { 0 }, 1, "chain" },
        { { 1, 2, 3 }, 3, "root" },
        { { 0, 1, 2, 3, 3 }, 5, "chain" },
        { { 0, 0, 1, 2, 3 }, 5, "chain" },
        { { 0, 1, 2, 3, 4 }, 5, "certificates" },         /* the leaf among the CAs */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        EXPECT(cases[i].want, set_bundle(&f, &good, cases[i].order, cases[i].n, false));
}
END_TEST

START_TEST(chain_lengths)
{
    for (size_t n = 2; n <= 9; n++) {
        for (size_t i = 0; i < n; i++) {
            changed[i] = good_links[0];
            if (i == n - 1) changed[i] = good_links[4];
        }
        ck_assert_str_eq(try_chain(n), "accepted");
    }
    changed[8] = good_links[0];
    changed[9] = good_links[4];
    ck_assert_str_eq(try_chain(10), "format");
}
END_TEST

/* A key of the right root, but not the certificate's: only the last signature is wrong. */
START_TEST(other_signer)
{
    struct chain c = good;
    struct form f;
    good_form(&f, &good);
    c.leaf = EVP_EC_gen("P-384");
    ck_assert_str_eq(verify(&f, &c), "signature");
    chain_free(&c);
}
END_TEST

START_TEST(bytes_after_a_certificate)
{
    struct chain c = good;
    c.len[2]++;
    struct form f;
    good_form(&f, &c);
    ck_assert_str_eq(verify(&f, &good), "certificates");
    good_form(&f, &good);
    set_bytes(&f, "certificate", 100);
    ck_assert_str_eq(verify(&f, &good), "certificates");
}
END_TEST

/* What the maker makes, the reader reads back, field by field. */
START_TEST(made)
{
    static uint8_t doc[ATTEST_MAX];
    uint8_t pcr[48] = { 3 };
    struct attest_doc in = {
        .module_id = { "i-0-enc1", 8 }, .timestamp_ms = (uint64_t)NOW * 1000 + 5, .pcr = { [0] = pcr, [31] = pcr },
        .certificate = { good.der[4], good.len[4] }, .cabundle_count = 4, .user_data = { "u", 1 }, .nonce = { "", 0 },
    }, out;
    for (size_t i = 0; i < 4; i++) in.cabundle[i] = (struct bytes){ good.der[i], good.len[i] };
    for (int open = 0; open < 2; open++) {
        size_t n = 0;
        ASSERT_OK(attest_make(doc, sizeof doc, &n, &in, open, chain_sign, &good));
        struct attest_check want = { .root = in.cabundle[0], .at = NOW, .max_age = 1, .nonce = in.nonce };
        ASSERT_OK(attest_verify(&out, NULL, doc, n, &want));
        ck_assert_uint_eq(out.timestamp_ms, in.timestamp_ms);
        ck_assert(out.pcr[0] && out.pcr[31] && !out.pcr[1] && !out.public_key.p && out.nonce.p && out.nonce.n == 0);
        ck_assert_uint_eq(out.user_data.n, 1);
        ck_assert_int_eq(((const uint8_t *)out.cose.payload.p)[0], open ? 0xbf : 0xa9);
        size_t m = n;
        ASSERT_CODE(attest_make(doc, n - 1, &m, &in, open, chain_sign, &good), E_LIMIT);
    }
    ck_assert_str_eq(attest_checks()[0], "format");
    ck_assert_str_eq(attest_checks()[10], "age");
    ck_assert_ptr_null(attest_checks()[11]);
}
END_TEST

static Suite *forge(void)
{
    return CHECK_SUITE("forge", forms_taken, forms_refused, pcrs_refused, any_order, cose_forms, chain_rules, chain_dates, chain_order,
                       chain_lengths, other_signer, bytes_after_a_certificate, made);
}

int main(void)
{
    chain_make(&good, good_links, LINKS);
    int r = check_main((check_suite *const[]){ forge }, 1);
    chain_free(&good);
    return r;
}
