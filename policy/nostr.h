/* nostr.h - signatures as Nostr events (NIP-01): BIP340 over the id, which commits to the document. Pure.
 *
 * The event's kind is that of the document (docs/wire/policy.md), its content the document's type, a space and
 * its SHA-256: what a maintainer's signer shows him is what he agrees to. Nothing is logged. */
#ifndef POLICY_NOSTR_H
#define POLICY_NOSTR_H
#include "core/err.h"
#include "policy/maintainer.h"

enum { NOSTR_MAX = 8192, NOSTR_CONTENT = 256, NOSTR_TAGS = 16, NOSTR_TAG_VALUES = 16 };

struct nostr_event {
    struct maintainer who;                       /* as the event claims; no name                  */
    uint8_t  id[32], signature[64];
    uint8_t  computed[32];                       /* the id of what the event says                 */
    uint64_t created, kind;
    char     content[NOSTR_CONTENT + 1];
};

/* Parse one event: its seven members, each once, nothing else. Texts are printable ASCII without escapes, as what Holdfast
 * asks to be signed is. Returns NULL, or why it is none (a literal). */
const char *nostr_parse(struct nostr_event *out, const char *p, size_t n);
/* Verify: this kind, this content, its own id, its signature. Returns NULL, or why not. */
const char *nostr_check(const struct nostr_event *e, uint64_t kind, const char *content);
/* The content of the event that signs a document: its type, a space, 64 hex digits. */
void nostr_content(char out[static NOSTR_CONTENT + 1], const char *type, const uint8_t hash[static 32]);

#endif
