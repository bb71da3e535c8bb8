/* Rule sets: texts, encoding, ids, and what they change in a verdict. */
#include "signer/address.h"
#include "signer/child.h"
#include "signer/rules.h"
#include "signer/script.h"
#include "signer/taproot.h"
#include "tests/signer_case.h"
#include "tests/support/check_main.h"

static struct bench b;

static struct rule_set set_of(const char *text)
{
    struct rule_set s;
    ck_assert_int_eq(rules_parse(&s, text, strlen(text)).code, E_OK);
    return s;
}

static void hex_is(const void *p, size_t n, const char *want)
{
    char hex[2 * RULES_ENCODED + 1];
    hex_from(hex, p, n);
    ck_assert_str_eq(hex, want);
}

/* The ids are tests/models/rules.py's. */
START_TEST(ids_are_the_models)
{
    static const struct { const char *text, *id; } rows[] = {
        { "tapscript", "9e457873ab13965ff4834578971830130a9c03c770186d9d684b27014c6f3a8b" },
        { "lnhance", "03a5b400d80c4e08395a5aa71a3e9aa8ab106a86fc117745f3da3054de6acb29" },
        { "mine=cat+ctv", "4b227b9bb50869d69f465989547e43f99e7313c2cd24e37e3b66aba23c8cdd85" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rule_set s = set_of(rows[i].text);
        uint8_t id[32];
        rules_id(id, &s);
        hex_is(id, 32, rows[i].id);
    }
}
END_TEST

START_TEST(encoding_is_as_documented)
{
    uint8_t room[RULES_ENCODED];
    struct wr w = wr_of(room, sizeof room);
    struct rule_set s = set_of("mine=cat+ctv");
    rules_write(&w, &s);
    hex_is(room, w.len, "484652530100040000006d696e650100020077005b0100093d000000000000093d00000000008038010000000000000000400000000040ef070000000000");
}
END_TEST

/* Every set comes back, and no set's bytes with one bit changed are read as anything that is not written so. */
START_TEST(encoding_has_one_reading)
{
    static const char *const texts[] = { "tapscript", "covenants", "all=apo+cat+ctv+csfs+internalkey+paircommit+templatehash" };
    for (size_t i = 0; i < 3; i++) {
        uint8_t room[RULES_ENCODED], again[RULES_ENCODED];
        struct rule_set s = set_of(texts[i]), back;
        struct wr w = wr_of(room, sizeof room);
        rules_write(&w, &s);
        struct rd r = rd_of(room, w.len);
        rules_read(&r, &back);
        ck_assert(rd_ok(&r) && r.left == 0);
        ck_assert_str_eq(back.name, s.name);
        ck_assert_uint_eq(back.flags, s.flags);
        for (size_t bit = 0; bit < 8 * w.len; bit++) {
            room[bit / 8] ^= (uint8_t)(1u << bit % 8);
            r = rd_of(room, w.len);
            rules_read(&r, &back);
            if (rd_ok(&r) && r.left == 0) {
                struct wr v = wr_of(again, sizeof again);
                rules_write(&v, &back);
                ck_assert_mem_eq(again, room, w.len);
            }
            room[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t n = 0; n < w.len; n++) {
            r = rd_of(room, n);
            rules_read(&r, &back);
            ck_assert(!rd_ok(&r));
        }
    }
}
END_TEST

START_TEST(lists_of_the_configuration)
{
    struct rule_list l;
    ck_assert_int_eq(rules_list_parse(&l, "tapscript , lnhance,mine=cat").code, E_OK);
    ck_assert_uint_eq(l.count, 3);
    ck_assert_str_eq(l.set[1].name, "lnhance");
    ck_assert_uint_eq(l.set[1].flags, SCRIPT_CTV | SCRIPT_CSFS | SCRIPT_INTERNALKEY | SCRIPT_PAIRCOMMIT);
    ck_assert_uint_eq(l.set[2].flags, SCRIPT_CAT);
    ck_assert_ptr_eq(rules_find(&l, "", 0), &l.set[0]);
    ck_assert_ptr_eq(rules_find(&l, "mine", 4), &l.set[2]);
    ck_assert_ptr_null(rules_find(&l, "min", 3));
    static const char *const bad[] = {
        "", " ", ",", "tapscript,", "tapscript,tapscript", "nobody", "Tapscript", "tap script", "-x=cat", "x-=cat", "x=", "x=cat+",
        "x=cat+cat", "x=dog", "cat=ctv", "lnhance=cat", "x==cat", "=cat", "a123456789012345678901234567890b=cat", "x=cat,x=ctv", "x=cat ctv",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(rules_list_parse(&l, bad[i]).code == E_FORMAT, "`%s`", bad[i]);
    ck_assert_int_eq(rules_list_parse(&l, "a=cat,b=cat,c=cat,d=cat,e=cat,f=cat,g=cat,h=cat").code, E_OK);
    ck_assert_int_eq(rules_list_parse(&l, "a=cat,b=cat,c=cat,d=cat,e=cat,f=cat,g=cat,h=cat,i=cat").code, E_LIMIT);
}
END_TEST

START_TEST(list_in_json_and_bytes)
{
    static char text[RULES_MAX * RULES_JSON];
    uint8_t room[RULES_MAX * RULES_ENCODED];
    struct rule_list l, back;
    ck_assert_int_eq(rules_list_parse(&l, "tapscript,mine=ctv+cat").code, E_OK);
    struct wr w = wr_of(text, sizeof text - 1);
    rules_list_json(&w, &l);
    ck_assert(!w.full);
    text[w.len] = 0;
    ck_assert_str_eq(text, "[{\"name\":\"tapscript\",\"version\":1,\"opcodes\":[],\"caps\":[4000000,4000000,80000,1073741824,520000],"
                           "\"id\":\"9e457873ab13965ff4834578971830130a9c03c770186d9d684b27014c6f3a8b\"},"
                           "{\"name\":\"mine\",\"version\":1,\"opcodes\":[\"ctv\",\"cat\"],\"caps\":[4000000,4000000,80000,1073741824,520000],"
                           "\"id\":\"4b227b9bb50869d69f465989547e43f99e7313c2cd24e37e3b66aba23c8cdd85\"}]");
    struct wr v = wr_of(room, sizeof room);
    rules_list_write(&v, &l);
    struct rd r = rd_of(room, v.len);
    rules_list_read(&r, &back);
    ck_assert(rd_ok(&r) && r.left == 0 && back.count == 2);
    ck_assert_mem_eq(&back, &l, sizeof l);
    room[0] = RULES_MAX + 1;
    r = rd_of(room, v.len);
    rules_list_read(&r, &back);
    ck_assert(!rd_ok(&r));
}
END_TEST

/* What is reported of the longest sets must fit where it is reported. */
START_TEST(longest_sets_fit)
{
    static uint8_t room[RULES_MAX * RULES_JSON + 16];
    struct rule_list l;
    const struct rule_set longest = set_of("a23456789012345678901234567890b=apo+cat+ctv+csfs+internalkey+paircommit+templatehash");
    for (l.count = 0; l.count < RULES_MAX; l.count++) {
        l.set[l.count] = longest;
        l.set[l.count].version = UINT16_MAX;
        memset(&l.set[l.count].caps, 0xff, sizeof longest.caps);
    }
    struct wr w = wr_of(room, RULES_MAX * RULES_JSON);
    rules_list_json(&w, &l);
    ck_assert(!w.full);
    w = wr_of(room, 1 + RULES_MAX * RULES_ENCODED);
    rules_list_write(&w, &l);
    ck_assert(!w.full);
}
END_TEST

START_TEST(limits_are_the_lesser)
{
    struct rule_set s = set_of("tapscript");
    struct script_limits machine = SCRIPT_LIMITS_DEFAULT;
    machine.opcodes = 7;
    s.caps.signatures = 3;
    struct script_limits both = rules_limits(&s, &machine);
    ck_assert_uint_eq(both.opcodes, 7);
    ck_assert_uint_eq(both.signatures, 3);
    ck_assert_uint_eq(both.script_bytes, 4000000);
    ck_assert_uint_eq(both.time_ms, machine.time_ms);
}
END_TEST

START_TEST(profiles_have_kinds)
{
    static const char *const roots[] = { "reproducible-key", "confidential-script-1", "confidential-script-2" };
    enum child_kind kind;
    for (size_t i = 0; i < 3; i++)
        ck_assert(child_kind_of(&kind, roots[i]) && kind == CHILD_OF_ROOT);
    ck_assert(child_kind_of(&kind, "holdfast-1") && kind == CHILD_OF_OUTPUT);
    ck_assert(!child_kind_of(&kind, "holdfast") && !child_kind_of(&kind, ""));
}
END_TEST

/* ---- verdicts ---- */

/* One input that spends `leaf` under `internal`, for a service with these terms. The output on chain is the
 * one that `paid` terms have. Returns the fault; the engine's word in *detail. */
static enum emulate_fault judge(const struct emulate_terms *t, const struct emulate_terms *paid, const char *leaf, const char *internal,
                                const char *const *items, const char **detail)
{
    EMULATE_REQUEST q = NULL;
    EMULATE_PLAN p = NULL;
    struct emulate_refusal why = { 0 };
    uint8_t script[64], x[32], control[TREE_CONTROL_MAX], root[32], key[32], id[32], spk[34];
    char control_hex[2 * TREE_CONTROL_MAX + 1], spk_hex[69];
    const char *witness[8] = { NULL };
    size_t n, count = 0;
    struct tree_leaf one = { .version = 0xc0, .script = { script, case_hex(script, sizeof script, leaf) } };
    case_hex(x, 32, internal);
    ck_assert_int_eq(tree_root(root, &one, 1).code, E_OK);
    ck_assert_int_eq(tree_control(control, &n, x, &one, 1, 0).code, E_OK);
    hex_from(control_hex, control, n);
    ck_assert_int_eq(taproot_output_key(key, NULL, x, root).code, E_OK);
    rules_id(id, &paid->rules);
    if (paid->kind == CHILD_OF_OUTPUT)
        ck_assert_int_eq(address_output_key_bound(key, paid->master, id, key, NULL).code, E_OK);
    else
        ck_assert_int_eq(address_output_key(key, paid->master, root, NULL).code, E_OK);
    taproot_script(spk, key);
    hex_from(spk_hex, spk, sizeof spk);
    for (; items && items[count]; count++)
        witness[count] = items[count];
    witness[count++] = leaf;
    witness[count] = control_hex;
    bench_start(&b);
    bench_input(&b, witness, spk_hex);
    bench_bytes(&b);
    ck_assert_int_eq(emulate_request_parse(&q, b.bytes, b.len).code, E_OK);
    err e = emulate_plan_under(&p, &why, q, t);
    if (!e.code)
        e = emulate_verify(&why, p);
    if (detail)
        *detail = why.detail;
    ck_assert_int_eq(e.code == E_OK, why.fault == EMULATE_FINE);
    return why.fault;
}

static struct emulate_terms terms_of(enum child_kind kind, const char *rules)
{
    struct emulate_terms t = { .kind = kind, .rules = set_of(rules) };
    case_hex(t.master, 33, CASE_MASTER);
    return t;
}

#define CAT_LEAF "7e066f705f63617487"                 /* CAT "op_cat" EQUAL: facts, vector K */
static const char *const CAT_ITEMS[] = { "6f705f", "636174", NULL };

START_TEST(a_set_decides_what_is_verified)
{
    static const enum child_kind kinds[] = { CHILD_OF_ROOT, CHILD_OF_OUTPUT };
    for (size_t i = 0; i < 2; i++) {
        struct emulate_terms cat = terms_of(kinds[i], "cat"), none = terms_of(kinds[i], "tapscript"), mine = terms_of(kinds[i], "mine=cat+ctv");
        const char *detail = NULL;
        ck_assert_int_eq(judge(&cat, &cat, CAT_LEAF, CASE_INTERNAL, CAT_ITEMS, NULL), EMULATE_FINE);
        ck_assert_int_eq(judge(&mine, &mine, CAT_LEAF, CASE_INTERNAL, CAT_ITEMS, NULL), EMULATE_FINE);
        ck_assert_int_eq(judge(&none, &none, CAT_LEAF, CASE_INTERNAL, CAT_ITEMS, &detail), EMULATE_VERIFICATION_FAILED);
        ck_assert_str_eq(detail, "DISCOURAGE_OP_SUCCESS");
    }
}
END_TEST

/* The vector of the earlier system's own covenant build: root and address as it had them. */
START_TEST(earlier_covenants_keep_their_address)
{
    uint8_t script[16], root[32], key[32], master[33];
    struct tree_leaf one = { .version = 0xc0, .script = { script, case_hex(script, sizeof script, CAT_LEAF) } };
    case_hex(master, 33, CASE_MASTER);
    ck_assert_int_eq(tree_root(root, &one, 1).code, E_OK);
    hex_is(root, 32, "7cf780b81bb21505016fabbd8e388c04c3d6a92119f0ea03ad794a4bcf4eb83e");
    ck_assert_int_eq(address_output_key(key, master, root, NULL).code, E_OK);
    hex_is(key, 32, "270f2f331a08b209631692249a1b12f8aff80f7f905e9913edf2195a7c9df863");
}
END_TEST

/* holdfast-1: an output is of one rule set and one internal key. The earlier rule binds neither. */
START_TEST(neither_set_nor_key_can_be_swapped)
{
    struct emulate_terms one = terms_of(CHILD_OF_OUTPUT, "tapscript"), other = terms_of(CHILD_OF_OUTPUT, "lnhance");
    struct emulate_terms root_one = terms_of(CHILD_OF_ROOT, "tapscript"), root_other = terms_of(CHILD_OF_ROOT, "lnhance");
    ck_assert_int_eq(judge(&one, &one, "51", CASE_INTERNAL, NULL, NULL), EMULATE_FINE);
    ck_assert_int_eq(judge(&other, &one, "51", CASE_INTERNAL, NULL, NULL), EMULATE_UNEXPECTED_INPUT);
    ck_assert_int_eq(judge(&root_one, &one, "51", CASE_INTERNAL, NULL, NULL), EMULATE_UNEXPECTED_INPUT);
    ck_assert_int_eq(judge(&one, &root_one, "51", CASE_INTERNAL, NULL, NULL), EMULATE_UNEXPECTED_INPUT);
    ck_assert_int_eq(judge(&root_other, &root_one, "51", CASE_INTERNAL, NULL, NULL), EMULATE_FINE);
    uint8_t t[32], u[32], id[32], master[33], key[32] = { 1 };
    case_hex(master, 33, CASE_MASTER);
    rules_id(id, &one.rules);
    child_tweak_bound(t, master, id, key);
    key[31] ^= 1;
    child_tweak_bound(u, master, id, key);
    ck_assert_mem_ne(t, u, 32);
}
END_TEST

/* A script that rests on the internal key is refused where nothing binds it, with a word of its own, and verified where
 * holdfast-1 does. The key 01 with an empty signature is only looked at. */
START_TEST(the_internal_key_is_used_only_where_it_is_bound)
{
    static const struct { const char *rules, *leaf, *detail; } rows[] = {
        { "internalkey", "cb20" CASE_INTERNAL "87", "UNBOUND_INTERNALKEY" },
        { "apo", "000101ac91", "UNBOUND_ANYPREVOUT" },
    };
    for (size_t i = 0; i < 2; i++) {
        struct emulate_terms bound = terms_of(CHILD_OF_OUTPUT, rows[i].rules), root = terms_of(CHILD_OF_ROOT, rows[i].rules);
        const char *detail = NULL;
        ck_assert_int_eq(judge(&bound, &bound, rows[i].leaf, CASE_INTERNAL, NULL, NULL), EMULATE_FINE);
        ck_assert_int_eq(judge(&root, &root, rows[i].leaf, CASE_INTERNAL, NULL, &detail), EMULATE_UNBOUND_KEY);
        ck_assert_str_eq(detail, rows[i].detail);
    }
    /* 01||x names its key itself: safe in both. */
    struct emulate_terms root = terms_of(CHILD_OF_ROOT, "apo");
    ck_assert_int_eq(judge(&root, &root, "002101" CASE_INTERNAL "ac91", CASE_INTERNAL2, NULL, NULL), EMULATE_FINE);
    /* In a branch that is not taken it decides nothing. */
    struct emulate_terms key = terms_of(CHILD_OF_ROOT, "internalkey");
    ck_assert_int_eq(judge(&key, &key, "0063cb6851", CASE_INTERNAL, NULL, NULL), EMULATE_FINE);
}
END_TEST

START_TEST(requests_choose_among_what_is_allowed)
{
    static const struct { const char *asked, *got; } rows[] = { { NULL, "tapscript" }, { "tapscript", "tapscript" }, { "cat", "cat" }, { "lnhance", NULL } };
    struct rule_list allowed;
    ck_assert_int_eq(rules_list_parse(&allowed, "tapscript,cat").code, E_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EMULATE_REQUEST q = NULL;
        struct emulate_terms t = { 0 };
        struct emulate_refusal why = { 0 };
        bench_start(&b);
        bench_input(&b, NULL, CASE_ACTUAL);
        b.rules = rows[i].asked;
        bench_bytes(&b);
        ck_assert_int_eq(emulate_request_parse(&q, b.bytes, b.len).code, E_OK);
        err e = emulate_choose_rules(&t, &why, q, &allowed);
        ck_assert_int_eq(e.code, rows[i].got ? E_OK : E_DENIED);
        ck_assert_int_eq(why.fault, rows[i].got ? EMULATE_FINE : EMULATE_UNKNOWN_RULES);
        if (rows[i].got)
            ck_assert_str_eq(t.rules.name, rows[i].got);
    }
}
END_TEST

/* A set's own caps hold, however much the machine allows. */
START_TEST(caps_of_the_set_hold)
{
    struct emulate_terms t = terms_of(CHILD_OF_OUTPUT, "tapscript"), tight = t;
    const char *detail = NULL;
    tight.rules.caps.opcodes = 2;
    ck_assert_int_eq(judge(&t, &t, "517551", CASE_INTERNAL, NULL, NULL), EMULATE_FINE);
    ck_assert_int_eq(judge(&tight, &tight, "517551", CASE_INTERNAL, NULL, &detail), EMULATE_VERIFICATION_FAILED);
    ck_assert_str_eq(detail, "CAP_OPCODES");
}
END_TEST

static Suite *rule_sets(void)
{
    return CHECK_SUITE("signer_rule_sets", ids_are_the_models, encoding_is_as_documented, encoding_has_one_reading,
                       lists_of_the_configuration, list_in_json_and_bytes, longest_sets_fit, limits_are_the_lesser, profiles_have_kinds,
                       a_set_decides_what_is_verified, earlier_covenants_keep_their_address, neither_set_nor_key_can_be_swapped,
                       the_internal_key_is_used_only_where_it_is_bound, requests_choose_among_what_is_allowed, caps_of_the_set_hold);
}

CHECK_MAIN(rule_sets)
