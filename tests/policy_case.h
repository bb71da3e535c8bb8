/* policy_case.h - maintainers with their private keys, and what they sign, for tests of documents. */
#ifndef TESTS_POLICY_CASE_H
#define TESTS_POLICY_CASE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/hash.h"
#include "policy/document.h"

enum { PERSONS = 6, SIGNATURE_ROOM = 2048, DOCUMENT_ROOM = 8192 };

/* The n-th person's keys, n < PERSONS: one of each kind; secrets are the byte n + 1, 32 times. */
void person_key(struct maintainer *out, int n, enum maintainer_kind kind);
/* Its text, as a document has it. */
void person_text(char out[static MAINTAINER_TEXT], int n, enum maintainer_kind kind);

/* How a signature is made; zero is as it should be. */
struct odd { const char *name_space; bool sha256, no_touch, reserved; const char *application; uint64_t event; const char *content; };

/* Sign. Out: text with NUL; returns it as bytes without. */
struct bytes person_sshsig(char out[static SIGNATURE_ROOM], int n, enum maintainer_kind kind, const char *document, const struct odd *odd);
struct bytes person_nostr(char out[static SIGNATURE_ROOM], int n, const char *document, const struct odd *odd);

/* `text` with the first `from` replaced by `to`; the test fails when it is not there. Three buffers, in turn. */
const char *with(const char *text, const char *from, const char *to);

/* Documents of one service that are good in every way. Policy: persons 0, 1, 2 (ssh, sk, nostr), threshold 2; emergency 3; veto: person 3;
 * delay 86400, emergency 3600. The release was made under it. Valid from 1000 to 2000 (policy: until 5000). */
#define SERVICE_HEX "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
void good_policy(char out[static DOCUMENT_ROOM]);
void good_next_policy(char out[static DOCUMENT_ROOM]);      /* version 2, persons 0, 1 and 4 */
void good_release(char out[static DOCUMENT_ROOM]);
void good_veto(char out[static DOCUMENT_ROOM], const char *release);
void good_permit(char out[static DOCUMENT_ROOM]);
void good_genesis(char out[static DOCUMENT_ROOM]);

#endif
