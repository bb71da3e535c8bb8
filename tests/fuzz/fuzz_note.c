/* fuzz_note.c - signed notes, checkpoints and verifier keys, from anybody. What is accepted is written again as it was. */
#include <stdint.h>
#include <string.h>

#include "core/log.h"
#include "policy/checkpoint.h"
#include "policy/note.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_open("fuzz", LOG_ERROR + 1);
    return 0;
}

static void lines(const struct note *n, const char *p, size_t len)
{
    static uint8_t again[NOTE_MAX];
    struct wr w = wr_of(again, sizeof again);
    for (size_t i = 0; i < n->count; i++) {
        const struct note_signature *s = &n->signatures[i];
        struct note_key k = { .id = s->key_id };
        if (s->n > NOTE_SIGNATURE) return;
        memcpy(k.name, s->name, s->name_len);
        MUST(note_key_is(&k, s));
        note_write_signature(&w, &k, s->bytes, s->n);
    }
    MUST(!w.full && w.len == len && memcmp(again, p, len) == 0);
    fuzz_reached("note");
}

static void key(const uint8_t *p, size_t n)
{
    uint8_t again[NOTE_NAME + 64];
    struct note_key k;
    if (note_key_parse(&k, (const char *)p, n).code) return;
    struct wr w = wr_of(again, sizeof again);
    note_key_write(&w, &k);
    MUST(!w.full && w.len == n && memcmp(again, p, strlen(k.name)) == 0);   /* the id may be in upper case */
    fuzz_reached("note.key");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct note note;
    struct checkpoint c;
    key(p, n);
    if (note_parse(&note, (const char *)p, n).code) return 0;
    lines(&note, note.text + note.text_len + 1, n - note.text_len - 1);
    if (checkpoint_parse(&c, note.text, note.text_len).code) return 0;
    uint8_t again[CHECKPOINT_TEXT];
    struct wr w = wr_of(again, sizeof again);
    checkpoint_write(&w, &c);
    MUST(!w.full && w.len <= note.text_len && memcmp(again, note.text, w.len) == 0);
    fuzz_reached("note.checkpoint");
    return 0;
}
