/* rules.h - rule sets: which opcodes beyond the network's a script may use, and what it may cost.
 *
 * A service signs under the rule sets that its genesis document and its attested statement name; a request
 * picks one. With profile holdfast-1 it is part of the address as well. Every set has a canonical encoding, and its tagged hash is the rule set's id (docs/wire/rules.md). Pure. */
#ifndef SIGNER_RULES_H
#define SIGNER_RULES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "signer/script_limits.h"

enum {
    RULES_NAME = 32,                   /* a name's room, NUL included                         */
    RULES_MAX = 8,                     /* sets of one service                                 */
    RULES_TEXT = 256,                  /* a list of them as the configuration writes it       */
    RULES_ENCODED = 128,               /* the longest encoding has 101 bytes                  */
    RULES_JSON = 384                   /* the longest text of one set, without a NUL          */
};

struct rule_set {
    char                 name[RULES_NAME];
    uint16_t             version;      /* of what the name stands for; composed sets: 1       */
    uint64_t             flags;        /* SCRIPT_CAT and so on (signer/script.h)              */
    struct script_limits caps;         /* time_ms: 0, as time is the machine's and not a rule */
};
/* In the order of the configuration: the first holds where a request names none. */
struct rule_list { size_t count; struct rule_set set[RULES_MAX]; };

/* The set of that name in the program's table: `tapscript` (none beyond the network's), one of each opcode's
 * name (`cat`, `ctv`, …), and what is often meant together (`covenants`, `lnhance`, …); or a composed one,
 * `NAME=OPCODE+OPCODE…`, whose name the table does not have. Fails: E_FORMAT, saying what is wrong. */
err  rules_parse(struct rule_set *out, const char *text, size_t n);
/* Several, separated by commas, spaces around them allowed; at least one, none twice. Fails: E_FORMAT, E_LIMIT. */
err  rules_list_parse(struct rule_list *out, const char *text);
/* The set of that name (n = 0: the first); NULL when the list has none. */
const struct rule_set *rules_find(const struct rule_list *l, const char *name, size_t n);

/* The canonical encoding of one set; exactly that is what rules_read() takes. */
void rules_write(struct wr *w, const struct rule_set *s);
/* Marks r bad at anything that rules_write() would not write. */
void rules_read(struct rd *r, struct rule_set *s);
/* u8 count, then each. */
void rules_list_write(struct wr *w, const struct rule_list *l);
void rules_list_read(struct rd *r, struct rule_list *l);
/* The tagged hash of the encoding. */
void rules_id(uint8_t id[static 32], const struct rule_set *s);
/* [{"name":…,"version":…,"opcodes":[…],"caps":[five numbers],"id":…}, …], no spaces. */
void rules_list_json(struct wr *w, const struct rule_list *l);

/* What a request may cost: what the set and the machine both allow. */
struct script_limits rules_limits(const struct rule_set *s, const struct script_limits *machine);

#endif
