/* The signing key: published vectors bit for bit, and what it refuses. */
#include "signer/address.h"
#include "signer/child.h"
#include "signer/ec.h"
#include "tests/signer_keys_case.h"

START_TEST(vectors)
{
    const struct signer_case *c = &SIGNER_CASES[_i];
    SIGNER s = NULL;
    struct sign_request q;
    uint8_t aux_rand[32], sig[64], hash[32], le[8], aux[32];
    memset(aux_rand, 1, 32);
    open_with(&s, 1);
    request_of(&q, c);
    tagged_hash(hash, "TapSighash", &(struct bytes){ q.sigmsg, q.sigmsg_len }, 1);
    check_hex(hash, 32, c->sighash);
    struct wr w = wr_of(le, 8);
    wr_u64(&w, q.index);
    sha256_of(aux, (struct bytes[]){ { aux_rand, 32 }, { le, 8 } }, 2);
    check_hex(aux, 32, c->aux);
    ck_assert_int_eq(signer_sign_with_aux(s, sig, &q, aux_rand).code, E_OK);
    check_hex(sig, 64, c->sig);
    ck_assert_uint_eq(secret_count(), 1);
}
END_TEST

/* The earlier systems' encrypted endpoint: the master key of bytes 1, a client's key of bytes 3. */
START_TEST(agrees)
{
    static const char want[] = "87fc0891fa088506eb1f0abf551832e2c6d61bacaab16bca8f792bcbd45240e2";
    uint8_t client[33], both[65] = { 0 };
    SIGNER s = NULL;
    SIGNER other = NULL;
    SECRET key = NULL;
    SECRET back = NULL;
    open_with(&s, 1);
    open_with(&other, 3);
    signer_public(other, client);
    check_hex(client, 33, "02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337");
    ASSERT_OK(signer_agree(s, &key, client, sizeof client));
    check_hex(secret_peek(key), 32, want);
    /* From the other side, and with the point written in full. */
    case_hex(both, sizeof both, "04" "1b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"
                                "70beaf8f588b541507fed6a642c5ab42dfdf8120a7f639de5122d47a69a8e8d1");
    ASSERT_OK(signer_agree(other, &back, both, sizeof both));
    ck_assert(secret_eq(key, back));
    secret_drop(&key);
    both[64] ^= 1;                           /* beside the curve */
    ASSERT_CODE(signer_agree(other, &key, both, sizeof both), E_FORMAT);
    for (size_t n = 0; n < 33; n++) ASSERT_CODE(signer_agree(s, &key, client, n), E_FORMAT);
    client[0] = 5;
    ASSERT_CODE(signer_agree(s, &key, client, sizeof client), E_FORMAT);
    ck_assert_ptr_null(key);
}
END_TEST

START_TEST(fresh_randomness)
{
    SIGNER s = NULL;
    struct sign_request q;
    uint8_t one[64], two[64], hash[32];
    open_with(&s, 1);
    request_of(&q, &SIGNER_CASES[0]);
    ck_assert_int_eq(signer_sign(s, one, &q).code, E_OK);
    ck_assert_int_eq(signer_sign(s, two, &q).code, E_OK);
    ck_assert_int_ne(memcmp(one, two, 64), 0);
    tagged_hash(hash, "TapSighash", &(struct bytes){ q.sigmsg, q.sigmsg_len }, 1);
    ck_assert(ec_schnorr_verify(one, hash, 32, q.output_key));
    ck_assert(ec_schnorr_verify(two, hash, 32, q.output_key));
}
END_TEST

/* What anyone computes from the public key is what the secret key signs for. */
START_TEST(public_and_secret_agree)
{
    for (int i = 0; i < 60; i++) {
        SECRET k = NULL;
        SIGNER s = NULL;
        struct sign_request q;
        uint8_t pub[33], sig[64], hash[32];
        request_of(&q, &SIGNER_CASES[i % 2 ? 3 : 0]);
        q.has_backup = i % 3 == 0;
        ASSERT_OK(secret_random(&k, 32));
        ASSERT_OK(random_bytes(q.merkle_root, 32));
        ASSERT_OK(random_bytes(q.backup_root, 32));
        ASSERT_OK(signer_open(&s, &k));
        signer_public(s, pub);
        ASSERT_OK(address_output_key(q.output_key, pub, q.merkle_root, q.has_backup ? q.backup_root : NULL));
        ASSERT_OK(signer_sign(s, sig, &q));
        tagged_hash(hash, "TapSighash", &(struct bytes){ q.sigmsg, q.sigmsg_len }, 1);
        ck_assert(ec_schnorr_verify(sig, hash, 32, q.output_key));
    }
}
END_TEST

/* Vectors A and I: tweak, child; the child's scalar is known here only because the vector tells. */
START_TEST(child_keys)
{
    static const struct { const char *root, *t, *sk, *pub; } rows[] = {
        { CASE_ROOT, "238db93ea0d01c7cf8c6cd9d9f9cd236ea06f53b037e3a7f6ae9b70808aacf93",
          "248eba3fa1d11d7df9c7ce9ea09dd337eb07f63c047f3b806beab80909abd094",
          "03e31117595ebda1c9a8eb049ac7978c68271bcdeba0b5eb7e826651c55e0485d1" },
        { "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
          "364c9ada78bbb4e1f23b9c13075288e7e4ca5a6a89b7ae42a1afd9ba86ed66b7",
          "374d9bdb79bcb5e2f33c9d14085389e8e5cb5b6b8ab8af43a2b0dabb87ee67b8",
          "02e162c891867c61228a492b882ee685fb8393e35d22a3f2e9b4b950ead6bad940" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t master[33], root[32], t[32], child[33];
        SECRET sk = NULL;
        SIGNER s = NULL;
        case_hex(master, 33, CASE_MASTER);
        case_hex(root, 32, rows[i].root);
        child_tweak(t, master, root);
        check_hex(t, 32, rows[i].t);
        ck_assert_int_eq(address_child_key(child, master, root).code, E_OK);
        check_hex(child, 33, rows[i].pub);
        case_scalar(&sk, 0);
        case_hex(secret_reveal(sk), 32, rows[i].sk);
        ck_assert_int_eq(signer_open(&s, &sk).code, E_OK);
        signer_public(s, child);
        check_hex(child, 33, rows[i].pub);
    }
}
END_TEST

START_TEST(reduction)
{
    static const char *const rows[][2] = {
        { "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
          "000000000000000000000000000000014551231950b75fc4402da1732fc9bebe" },
        { "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
          "0000000000000000000000000000000000000000000000000000000000000000" },
        { "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
          "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140" },
        { "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
          "0000000000000000000000000000000000000000000000000000000000000001" },
        { "ffffffffffffffffffffffffffffffff00000000000000000000000000000000",
          "00000000000000000000000000000000" "45512319" "50b75fc4402da1732fc9bebf" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t t[32];
        case_hex(t, 32, rows[i][0]);
        child_reduce(t);
        check_hex(t, 32, rows[i][1]);
    }
}
END_TEST

START_TEST(public_keys)
{
    static const struct { uint8_t byte; const char *pub; } rows[] = {
        { 1, CASE_MASTER }, { 2, "024d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766" },
        { 3, "02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SIGNER s = NULL;
        uint8_t pub[33];
        open_with(&s, rows[i].byte);
        signer_public(s, pub);
        check_hex(pub, 33, rows[i].pub);
    }
}
END_TEST

/* A master that is no scalar is refused, and taken all the same: nobody keeps a copy. */
START_TEST(open_refuses)
{
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364142",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "01010101010101010101010101010101010101010101010101010101010101",
        "010101010101010101010101010101010101010101010101010101010101010101",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SECRET k = NULL;
        SIGNER s = NULL;
        ck_assert_int_eq(secret_new(&k, strlen(bad[i]) / 2).code, E_OK);
        case_hex(secret_reveal(k), 64, bad[i]);
        ck_assert_int_eq(signer_open(&s, &k).code, E_FORMAT);
        ck_assert_ptr_null(k);
        ck_assert_ptr_null(s);
        ck_assert_uint_eq(secret_count(), 0);
    }
    SECRET k = NULL;
    SIGNER s = NULL;
    ck_assert_int_eq(secret_new(&k, 32).code, E_OK);
    case_hex(secret_reveal(k), 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140");
    ck_assert_int_eq(signer_open(&s, &k).code, E_OK);
}
END_TEST

START_TEST(denies_outputs_of_others)
{
    SIGNER s = NULL;
    struct sign_request good, q;
    open_with(&s, 1);
    request_of(&good, &SIGNER_CASES[2]);
    for (unsigned bit = 0; bit < 256; bit += 37) {
        q = good;
        q.output_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuses(s, &q, E_DENIED);
        q = good;
        q.merkle_root[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuses(s, &q, E_DENIED);
        q = good;
        q.backup_root[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuses(s, &q, E_DENIED);
    }
    q = good;
    q.has_backup = false;
    refuses(s, &q, E_DENIED);
    signer_close(&s);
    open_with(&s, 2);
    refuses(s, &good, E_DENIED);
}
END_TEST

/* Nothing but a key-path message with SIGHASH_DEFAULT gets as far as the key. */
START_TEST(refuses_other_messages)
{
    SIGNER s = NULL;
    struct sign_request plain, annex, q;
    open_with(&s, 1);
    request_of(&plain, &SIGNER_CASES[0]);
    request_of(&annex, &SIGNER_CASES[3]);
    ck_assert_uint_eq(plain.sigmsg_len, SIGN_MSG_PLAIN);
    ck_assert_uint_eq(annex.sigmsg_len, SIGN_MSG_ANNEX);
    for (unsigned len = 0; len < 0x10000; len += len < 300 ? 1 : 977) {
        q = plain;
        q.sigmsg_len = (uint16_t)len;
        if (len != SIGN_MSG_PLAIN)
            refuses(s, &q, E_FORMAT);
        q = annex;
        q.sigmsg_len = (uint16_t)len;
        if (len != SIGN_MSG_ANNEX)
            refuses(s, &q, E_FORMAT);
    }
    for (unsigned v = 1; v < 256; v++) {
        q = plain, q.sigmsg[0] = (uint8_t)v;
        refuses(s, &q, E_FORMAT);
        q = plain, q.sigmsg[1] = (uint8_t)v;
        refuses(s, &q, E_FORMAT);
        q = plain, q.sigmsg[170] = (uint8_t)v;
        refuses(s, &q, E_FORMAT);
        q = annex, q.sigmsg[170] ^= (uint8_t)v;
        refuses(s, &q, E_FORMAT);
        q = plain, q.sigmsg[171 + v % 4] = (uint8_t)v;
        refuses(s, &q, E_FORMAT);
    }
    q = plain, q.index = UINT64_C(1) << 32;
    refuses(s, &q, E_FORMAT);
    q = plain, q.index = 1;
    refuses(s, &q, E_FORMAT);
}
END_TEST

START_TEST(record)
{
    struct sign_request q, back;
    uint8_t bytes[SIGN_REQUEST_SIZE + 1];
    static const int cases[] = { 0, 2, 3, 5 };
    for (size_t i = 0; i < 4; i++) {
        request_of(&q, &SIGNER_CASES[cases[i]]);
        struct wr w = wr_of(bytes, sizeof bytes);
        sign_request_write(&w, &q);
        ck_assert_uint_eq(w.len, SIGN_REQUEST_SIZE);
        ck_assert_int_eq(sign_request_read(&back, bytes, SIGN_REQUEST_SIZE).code, E_OK);
        ck_assert_uint_eq(back.index, q.index);
        ck_assert_int_eq(back.has_backup, q.has_backup);
        ck_assert_uint_eq(back.sigmsg_len, q.sigmsg_len);
        ck_assert_mem_eq(back.output_key, q.output_key, 32);
        ck_assert_mem_eq(back.merkle_root, q.merkle_root, 32);
        ck_assert_mem_eq(back.backup_root, q.backup_root, 32);
        ck_assert_mem_eq(back.sigmsg, q.sigmsg, SIGN_MSG_MAX);
    }
    ck_assert_int_eq(sign_request_read(&back, bytes, SIGN_REQUEST_SIZE - 1).code, E_FORMAT);
    ck_assert_int_eq(sign_request_read(&back, bytes, SIGN_REQUEST_SIZE + 1).code, E_FORMAT);
    static const struct { size_t at; uint8_t value; } bad[] = {
        { 40, 2 }, { 40, 255 }, { 73, 1 }, { 104, 1 }, { 105, 2 }, { 105, 255 }, { 106, 1 }, { 137, 1 }, { 138, 0xd0 }, { 139, 1 },
        { SIGN_REQUEST_SIZE - 1, 1 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t old = bytes[bad[i].at];
        bytes[bad[i].at] = bad[i].value;
        ck_assert_int_eq(sign_request_read(&back, bytes, SIGN_REQUEST_SIZE).code, E_FORMAT);
        bytes[bad[i].at] = old;
    }
    ck_assert_int_eq(sign_request_read(&back, bytes, SIGN_REQUEST_SIZE).code, E_OK);
    q.kind = CHILD_OF_OUTPUT;
    memset(q.emulated_key, 5, 32);
    memset(q.rules, 6, 32);
    struct wr w = wr_of(bytes, sizeof bytes);
    sign_request_write(&w, &q);
    ck_assert_int_eq(sign_request_read(&back, bytes, SIGN_REQUEST_SIZE).code, E_OK);
    ck_assert_int_eq(back.kind, CHILD_OF_OUTPUT);
    ck_assert_mem_eq(back.emulated_key, q.emulated_key, 32);
    ck_assert_mem_eq(back.rules, q.rules, 32);
}
END_TEST

/* A service names its children in one way. A request in the other is no mistake of a client: the judge writes it. */
START_TEST(refuses_the_other_kind_of_child)
{
    SIGNER s = NULL;
    struct sign_request root, bound;
    uint8_t sig[64], master[33];
    open_with(&s, 1);
    signer_public(s, master);
    request_of(&root, &SIGNER_CASES[0]);
    bound = root;
    bound.kind = CHILD_OF_OUTPUT;
    memset(bound.emulated_key, 5, 32);
    memset(bound.rules, 6, 32);
    ck_assert_int_eq(address_output_key_bound(bound.output_key, master, bound.rules, bound.emulated_key, NULL).code, E_OK);
    ck_assert_int_eq(signer_sign(s, sig, &root).code, E_OK);
    refuses(s, &bound, E_FORMAT);
    signer_children(s, CHILD_OF_OUTPUT);
    ck_assert_int_eq(signer_sign(s, sig, &bound).code, E_OK);
    refuses(s, &root, E_FORMAT);
    for (unsigned bit = 0; bit < 256; bit += 37) {
        struct sign_request q = bound;
        q.rules[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuses(s, &q, E_DENIED);
        q = bound;
        q.emulated_key[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refuses(s, &q, E_DENIED);
    }
}
END_TEST

static Suite *signer_keys(void)
{
    Suite *suite = suite_create("signer_keys");
    TCase *t = tcase_create("keys");
    tcase_add_checked_fixture(t, before, after);
    tcase_add_loop_test(t, vectors, 0, SIGNER_CASE_COUNT);
    tcase_add_test(t, agrees);
    tcase_add_test(t, fresh_randomness);
    tcase_add_test(t, public_and_secret_agree);
    tcase_add_test(t, child_keys);
    tcase_add_test(t, reduction);
    tcase_add_test(t, public_keys);
    tcase_add_test(t, open_refuses);
    tcase_add_test(t, denies_outputs_of_others);
    tcase_add_test(t, refuses_other_messages);
    tcase_add_test(t, record);
    tcase_add_test(t, refuses_the_other_kind_of_child);
    suite_add_tcase(suite, t);
    return suite;
}

CHECK_MAIN(signer_keys)
