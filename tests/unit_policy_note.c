/* Signed notes and checkpoints: the examples of the specifications, and what must be refused. */
#include <string.h>

#include "policy/checkpoint.h"
#include "policy/note.h"
#include "support/check_main.h"

/* Of c2sp.org/tlog-cosignature. */
static const char example[] =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\xe2\x80\x94 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\xe2\x80\x94 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
/* Of the documentation of golang.org/x/mod/sumdb/note. */
static const char vkey[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

START_TEST(the_example_is_read)
{
    struct note n;
    struct checkpoint c;
    char again[CHECKPOINT_TEXT];
    ASSERT_OK(note_parse(&n, example, sizeof example - 1));
    ck_assert_uint_eq(n.count, 2);
    ck_assert_uint_eq(n.signatures[0].key_id, 0x033de0ae);
    ck_assert_uint_eq(n.signatures[0].n, 64);
    ck_assert_uint_eq(n.signatures[1].key_id, 0x8d66cf3f);
    ck_assert_uint_eq(n.signatures[1].n, 72);
    ck_assert_mem_eq(n.signatures[1].name, "witness.example.com/w1", n.signatures[1].name_len);
    ASSERT_OK(checkpoint_parse(&c, n.text, n.text_len));
    ck_assert_str_eq(c.origin, "example.com/behind-the-sofa");
    ck_assert_uint_eq(c.size, 20852163);
    struct wr w = wr_of(again, sizeof again);
    checkpoint_write(&w, &c);
    ASSERT_OK(wr_end(&w, "checkpoint"));
    ck_assert_uint_eq(w.len, n.text_len);
    ck_assert_mem_eq(again, example, w.len);
}
END_TEST

START_TEST(lines_are_written_as_they_were_read)
{
    struct note n;
    char text[512];
    ASSERT_OK(note_parse(&n, example, sizeof example - 1));
    struct wr w = wr_of(text, sizeof text);
    for (size_t i = 0; i < n.count; i++) {
        struct note_key k = { .id = n.signatures[i].key_id };
        memcpy(k.name, n.signatures[i].name, n.signatures[i].name_len);
        ck_assert(note_key_is(&k, &n.signatures[i]));
        ck_assert(!note_key_is(&k, &n.signatures[1 - i]));
        note_write_signature(&w, &k, n.signatures[i].bytes, n.signatures[i].n);
        k.id ^= 1;
        ck_assert(!note_key_is(&k, &n.signatures[i]));
    }
    ck_assert_uint_eq(w.len, sizeof example - 1 - n.text_len - 1);
    ck_assert_mem_eq(text, example + n.text_len + 1, w.len);
}
END_TEST

START_TEST(the_text_ends_at_the_last_empty_line)
{
    static const char text[] = "one\n\ntwo\n\n\xe2\x80\x94 k AAAAAAE=\n", none[] = "\n\n\xe2\x80\x94 k AAAAAAE=\n";
    struct note n;
    ASSERT_OK(note_parse(&n, text, sizeof text - 1));
    ck_assert_uint_eq(n.text_len, 9);
    ck_assert_uint_eq(n.signatures[0].n, 1);
    ASSERT_OK(note_parse(&n, none, sizeof none - 1));    /* a text of one empty line */
    ck_assert_uint_eq(n.text_len, 1);
}
END_TEST

START_TEST(malformed_notes_are_refused)
{
    static const char *const bad[] = {
        "", "\n", "\n\n", "a\n", "a\n\n", "a\n\nb\n", "a\n\xe2\x80\x94 k AAAAAAE=\n", "a\n\n\xe2\x80\x94 k AAAAAAE=",
        "a\n\n\xe2\x80\x94k AAAAAAE=\n", "a\n\n\xe2\x80\x94  AAAAAAE=\n", "a\n\n- k AAAAAAE=\n", "a\n\n\xe2\x80\x94 k AAAAAAE\n",
        "a\n\n\xe2\x80\x94 k AAAAAA==\n", "a\n\n\xe2\x80\x94 k\n", "a\n\n\xe2\x80\x94 k+l AAAAAAE=\n", "a\n\n\xe2\x80\x94 k\xc2\xa0l AAAAAAE=\n",
        "a\n\n\xe2\x80\x94 k\xe3\x80\x80 AAAAAAE=\n", "a\n\n\xe2\x80\x94 k AAAAAAE= \n", "a\r\n\n\xe2\x80\x94 k AAAAAAE=\n", "a\t\n\n\xe2\x80\x94 k AAAAAAE=\n",
        "\xff\n\n\xe2\x80\x94 k AAAAAAE=\n", "\xc0\x80\n\n\xe2\x80\x94 k AAAAAAE=\n", "\xed\xa0\x80\n\n\xe2\x80\x94 k AAAAAAE=\n",
        "\xf4\x90\x80\x80\n\n\xe2\x80\x94 k AAAAAAE=\n", "a\n\n\xe2\x80\x94 k AAAAAAE=\n\xe2\x80",
    };
    struct note n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(note_parse(&n, bad[i], strlen(bad[i])).code == E_FORMAT, "note %zu was not refused", i);
    ASSERT_CODE(note_parse(&n, "a\0\n\n\xe2\x80\x94 k AAAAAAE=\n", 20), E_FORMAT);
}
END_TEST

START_TEST(notes_are_bounded)
{
    static const char one[] = "\xe2\x80\x94 k AAAAAAE=\n";
    static char big[NOTE_MAX + 1];
    struct note n;
    struct wr w = wr_of(big, sizeof big);
    wr_text(&w, "a\n\n");
    for (int i = 0; i < NOTE_SIGNATURES; i++) wr_text(&w, one);
    ASSERT_OK(note_parse(&n, big, w.len));
    ck_assert_uint_eq(n.count, NOTE_SIGNATURES);
    wr_text(&w, one);
    ASSERT_CODE(note_parse(&n, big, w.len), E_LIMIT);
    memset(big, 'a', sizeof big);
    ASSERT_CODE(note_parse(&n, big, sizeof big), E_LIMIT);
    /* A signature of 5 kB is another scheme's, and no reason to refuse the note. */
    w = wr_of(big, sizeof big);
    wr_text(&w, "a\n\n\xe2\x80\x94 k ");
    memset(wr_room(&w, 6800), 'A', 6800);
    wr_text(&w, "\n");
    ASSERT_OK(note_parse(&n, big, w.len));
    ck_assert_uint_eq(n.signatures[0].n, 5096);
}
END_TEST

START_TEST(verifier_keys)
{
    struct note_key k;
    char text[400], bad[sizeof vkey];
    ASSERT_OK(note_key_parse(&k, vkey, sizeof vkey - 1));
    ck_assert_str_eq(k.name, "PeterNeumann");
    ck_assert_uint_eq(k.type, NOTE_ED25519);
    ck_assert_uint_eq(k.id, 0xc74f20a3);
    struct wr w = wr_of(text, sizeof text);
    note_key_write(&w, &k);
    ck_assert_uint_eq(w.len, sizeof vkey - 1);
    ck_assert_mem_eq(text, vkey, w.len);
    for (size_t i = 0; i < sizeof vkey - 1; i++) {       /* every character counts */
        memcpy(bad, vkey, sizeof vkey);
        bad[i] = bad[i] == 'b' ? 'c' : 'b';
        ASSERT_CODE(note_key_parse(&k, bad, sizeof vkey - 1), E_FORMAT);
        ASSERT_FAILS(note_key_parse(&k, vkey, i));
    }
    ASSERT_CODE(note_key_make(&k, "a b", NOTE_ED25519, k.key), E_FORMAT);
    ASSERT_CODE(note_key_make(&k, "", NOTE_ED25519, k.key), E_FORMAT);
}
END_TEST

START_TEST(checkpoints_are_exact)
{
    #define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    static const char *const good[] = { "o\n0\n" ROOT, "o p+q\n4611686018427387904\n" ROOT, "o\n1\n" ROOT "extension\nmore\n" };
    static const char *const bad[] = {
        "", "o\n", "o\n1\n", "\n1\n" ROOT, "o\n01\n" ROOT, "o\n-1\n" ROOT, "o\n+1\n" ROOT, "o\n1 \n" ROOT, "o\n\n" ROOT, "o\n0x1\n" ROOT,
        "o\n18446744073709551616\n" ROOT, "o\n1\nCsUY\n", "o\n1\n" ROOT "\n", "o\n1\n" ROOT "e", "o\n1\n" ROOT "\nf\n",
        "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
    };
    struct checkpoint c;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) ASSERT_OK(checkpoint_parse(&c, good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(checkpoint_parse(&c, bad[i], strlen(bad[i])).code == E_FORMAT, "checkpoint %zu was not refused", i);
    ASSERT_CODE(checkpoint_parse(&c, "o\n4611686018427387905\n" ROOT, 67), E_LIMIT);
    char longer[400];
    memset(longer, 'o', sizeof longer);
    memcpy(longer + 256, "\n1\n" ROOT, 3 + 45);
    ASSERT_CODE(checkpoint_parse(&c, longer, 256 + 3 + 45), E_LIMIT);
    ASSERT_OK(checkpoint_parse(&c, longer + 1, 255 + 3 + 45));
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy note", the_example_is_read, lines_are_written_as_they_were_read, the_text_ends_at_the_last_empty_line,
                       malformed_notes_are_refused, notes_are_bounded, verifier_keys, checkpoints_are_exact);
}

CHECK_MAIN(suite)
