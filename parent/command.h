/* command.h - one subcommand of `holdfast`: its words, its options, what it does.
 *
 * A command is a row of a table, and its --help is made from that row, so that the
 * two cannot disagree. Exit codes: exits.h. */
#ifndef PARENT_COMMAND_H
#define PARENT_COMMAND_H
#include <stdbool.h>
#include <stddef.h>
#include "parent/exits.h"

enum { OPTIONS_MAX = 24, OPERANDS_MAX = 2, REPEATED_MAX = 40 };

/* name without --; value NULL: a flag; a value that ends in `...`: may be given again and again
 * (one such option per command). */
struct option_row { const char *name, *value, *help; };

struct call;
struct command {
    const char *name, *operands, *summary;                   /* operands: as in the usage line, or NULL */
    const char *details;                                     /* shown by --help below the options; may be NULL */
    const struct option_row *options;                        /* ended by a NULL name; --json and --help come on top */
    size_t operands_least, operands_most;
    enum exits (*run)(const struct call *);
};

/* One invocation, parsed. */
struct call {
    const struct command *command;
    bool json;
    const char *values[OPTIONS_MAX];                         /* in the order of the options; "" for a flag given */
    const char *repeated[REPEATED_MAX];                      /* of the option that may be given again */
    size_t repeated_count;
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
};

/* The option's value; NULL when it was not given. The name must be one of the command's. */
const char *call_value(const struct call *c, const char *name);
/* The same as a number of min..max; `fallback` when not given. False, with the reason said, when it is none. */
bool call_number(unsigned long long *out, const struct call *c, const char *name, unsigned long long fallback,
                 unsigned long long min, unsigned long long max);

/* Find and run the command. argv as main() has it. */
enum exits command_main(int argc, char **argv, const struct command *commands, size_t count);

extern const struct command run_command, backups_command, backup_command, restore_command, disk_command, address_command;
extern const struct command status_command, seal_command, setup_command, public_key_command;
extern const struct command settings_command, requests_command, sign_command;
extern const struct command log_command, verify_command, pcr_command, eif_command, key_command, witness_command;
extern const struct command policy_command, release_command, veto_command, permit_command, genesis_command, upgrade_command;

#endif
