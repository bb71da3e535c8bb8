/* policy_trial.h - a document, its signatures, and the service in which it is judged. */
#ifndef TESTS_POLICY_TRIAL_H
#define TESTS_POLICY_TRIAL_H
#include "policy/judge.h"
#include "tests/policy_case.h"

enum { SIGS = 8 };

/* A document, its signatures, and where it is judged. */
struct trial {
    char text[DOCUMENT_ROOM];
    char room[SIGS][SIGNATURE_ROOM];
    struct bytes sig[SIGS];
    size_t count;
    struct document in_force;
    struct situation s;
    struct judgement j;
};

/* Parse what must be good. */
void trial_parse(struct document *d, const char *text);
/* A service with the good policy in force, at the time 1500. One at a time. */
struct trial *trial_of(void (*good)(char out[static DOCUMENT_ROOM]));
/* A person signs the document, or other bytes and oddly. */
void signs(struct trial *t, int n, enum maintainer_kind kind);
void signs_with(struct trial *t, int n, enum maintainer_kind kind, const char *bytes, const struct odd *odd);
/* Persons 0 and 1, by ssh and by hardware key. */
void two_sign(struct trial *t);
void edit(struct trial *t, const char *from, const char *to);
/* Judge, and fail unless it ends so. */
void ends(struct trial *t, enum reason want);

#endif
