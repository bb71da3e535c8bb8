#include "policy/quorum.h"

#include <string.h>

#include "policy/nostr.h"
#include "policy/sshsig.h"

struct work {
    const struct document *d;
    const struct maintainers *set;
    struct sshsig_message message;
    char content[NOSTR_CONTENT + 1];
    unsigned tries[MAINTAINERS_MAX];
};

/* Either format. */
struct either { bool ssh; struct sshsig s; struct nostr_event e; };

static const struct maintainer *who(const struct either *x) { return x->ssh ? &x->s.who : &x->e.who; }

static const char *read_either(struct either *out, const struct bytes *b)
{
    const char *p = b->p;
    size_t n = b->n;
    while (n && memchr(" \t\r\n", *p, 4)) p++, n--;
    out->ssh = sshsig_is(p, n);
    if (out->ssh) return sshsig_parse(&out->s, p, n);
    return n && *p == '{' ? nostr_parse(&out->e, p, n) : "it is neither an SSH signature nor a Nostr event";
}

static err verify(const char **why, const struct work *w, const struct either *x, const struct maintainer *m)
{
    if (x->ssh) {
        *why = "it is for another application than the key";
        if (strcmp(x->s.who.application, m->application) != 0) return OK;
        return sshsig_check(why, &x->s, document_namespace(w->d->kind), &w->message);
    }
    *why = nostr_check(&x->e, document_event(w->d->kind), w->content);
    return OK;
}

static err one(struct quorum *q, struct quorum_note *note, struct work *w, const struct bytes *b)
{
    struct either x;
    *note = (struct quorum_note){ QUORUM_BAD, -1, read_either(&x, b) };
    if (note->why) return OK;
    note->key = maintainers_find(w->set, who(&x));
    note->word = QUORUM_STRANGER;
    if (note->key < 0) return OK;
    note->word = QUORUM_AGAIN;
    if (q->signed_by[note->key]) return OK;
    note->word = QUORUM_UNREAD;
    if (w->tries[note->key]++ >= QUORUM_TRIES) return OK;
    TRY(verify(&note->why, w, &x, &w->set->one[note->key]));
    note->word = note->why ? QUORUM_BAD : QUORUM_GOOD;
    if (!note->why) q->signed_by[note->key] = true;
    return OK;
}

err quorum_count(struct quorum *out, struct quorum_note *notes, const struct document *d, const struct bytes *signatures, size_t count,
                 const struct maintainers *set)
{
    struct work w = { .d = d, .set = set, .message = { d->hash, d->hash512 } };
    *out = (struct quorum){ 0 };
    nostr_content(w.content, document_type(d->kind), d->hash);
    for (size_t i = 0; i < count; i++) {
        struct quorum_note note = { QUORUM_UNREAD, -1, NULL };
        if (i < QUORUM_SIGNATURES) TRY(one(out, &note, &w, &signatures[i]));
        out->count += note.word == QUORUM_GOOD;
        out->again += note.word == QUORUM_AGAIN;
        out->strangers += note.word == QUORUM_STRANGER;
        out->bad += note.word == QUORUM_BAD;
        out->unread += note.word == QUORUM_UNREAD;
        if (notes) notes[i] = note;
    }
    return OK;
}
