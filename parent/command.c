/* command.c - words of the command line, matched against the tables.
 *
 * Not getopt: one table gives the parser, the help text and, by a test, what the manual and the
 * completion must contain; and errors have to come out as JSON when that was asked for. */
#include "parent/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "parent/say.h"

static size_t option_count(const struct command *c)
{
    size_t n = 0;
    while (c->options && c->options[n].name) n++;
    MUST(n <= OPTIONS_MAX);
    return n;
}

const char *call_value(const struct call *c, const char *name)
{
    size_t n = option_count(c->command), i = 0;
    while (i < n && strcmp(c->command->options[i].name, name) != 0) i++;
    MUST(i < n);
    return c->values[i];
}

bool call_number(unsigned long long *out, const struct call *c, const char *name, unsigned long long fallback,
                 unsigned long long min, unsigned long long max)
{
    const char *text = call_value(c, name);
    char *end = NULL;
    *out = fallback;
    if (!text) return true;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= min && *out <= max) return true;
    (void)say_failure(c, EXIT_USAGE, NULL, NULL, "--%s takes a number from %llu to %llu, not `%s`", name, min, max, text);
    return false;
}

static void help_command(const struct command *c)
{
    printf("usage: holdfast %s%s%s%s\n\n%s\n\n", c->name, option_count(c) ? " [options]" : " [--json]",
           c->operands ? " " : "", c->operands ? c->operands : "", c->summary);
    for (size_t i = 0; i < option_count(c); i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", c->options[i].name, c->options[i].value ? " " : "",
                 c->options[i].value ? c->options[i].value : "");
        printf("  %-26s %s\n", left, c->options[i].help);
    }
    printf("  %-26s %s\n  %-26s %s\n", "--json", "print one JSON value, also for an error", "--help", "this text");
    if (c->details) printf("\n%s\n", c->details);
}

static void help_all(const struct command *commands, size_t count)
{
    puts("usage: holdfast COMMAND [options]\n\n"
         "The untrusted side of Holdfast: relays clients to the enclave, keeps its sealed\n"
         "copies, and talks to it. It never holds a secret.\n");
    for (size_t i = 0; i < count; i++) printf("  %-12s %s\n", commands[i].name, commands[i].summary);
    puts("\n  holdfast COMMAND --help    options of one command\n"
         "  holdfast --version         the version\n\n"
         "exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable, 4 the enclave failed");
}

static const struct command *find(const struct command *commands, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static enum exits usage(const struct call *c, const char *what, const char *word)
{
    char hint[96];
    snprintf(hint, sizeof hint, "`holdfast %s --help` lists what there is.", c->command->name);
    return say_failure(c, EXIT_USAGE, NULL, hint, "%s: %s%s", c->command->name, what, word);
}

static bool repeatable(const struct option_row *o)
{
    const size_t n = o->value ? strlen(o->value) : 0;
    return n > 3 && strcmp(o->value + n - 3, "...") == 0;
}

static enum exits repeat(struct call *c, const char *value, const char *word)
{
    if (c->repeated_count == REPEATED_MAX) return usage(c, "given too often: ", word);
    c->repeated[c->repeated_count++] = value;
    return EXIT_DONE;
}

/* --name VALUE or --name=VALUE. Out: moves *i when the value is the next word. */
static enum exits take_option(struct call *c, int *i, int argc, char **argv)
{
    const char *word = argv[*i] + 2, *equals = strchr(word, '=');
    size_t n = equals ? (size_t)(equals - word) : strlen(word);
    for (size_t k = 0; k < option_count(c->command); k++) {
        const struct option_row *o = &c->command->options[k];
        if (strlen(o->name) != n || memcmp(o->name, word, n) != 0) continue;
        /* The last one winning would hide a slip in a script. */
        if (c->values[k] && !repeatable(o)) return usage(c, "given twice: ", argv[*i]);
        if (!o->value && equals) return usage(c, "takes no value: ", argv[*i]);
        if (!o->value) c->values[k] = "";
        else if (equals) c->values[k] = equals + 1;
        else if (*i + 1 < argc && strncmp(argv[*i + 1], "--", 2) != 0) c->values[k] = argv[++*i];
        else return usage(c, "needs a value: ", argv[*i]);
        return repeatable(o) ? repeat(c, c->values[k], argv[*i]) : EXIT_DONE;
    }
    return usage(c, "no such option: ", argv[*i]);
}

/* --json and --help count wherever they stand, also behind a word that is wrong. */
static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], word) == 0) return true;
    return false;
}

static enum exits parse(struct call *c, int argc, char **argv)
{
    bool words_only = false;
    for (int i = 2; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
        } else if (!words_only && strcmp(argv[i], "--json") == 0) {
            continue;
        } else if (!words_only && strncmp(argv[i], "--", 2) == 0) {
            enum exits code = take_option(c, &i, argc, argv);
            if (code != EXIT_DONE) return code;
        } else if (c->operand_count == c->command->operands_most) {
            return usage(c, "too many words: ", argv[i]);
        } else {
            c->operands[c->operand_count++] = argv[i];
        }
    }
    if (c->operand_count < c->command->operands_least) return usage(c, "missing: ", c->command->operands);
    return EXIT_DONE;
}

enum exits command_main(int argc, char **argv, const struct command *commands, size_t count)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--version") == 0) {
        bool json = argc > 2 && strcmp(argv[2], "--json") == 0;
        printf(json ? "{\"version\":\"%s\"}\n" : "holdfast %s\n", HOLDFAST_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const struct command *one = argc > 2 ? find(commands, count, argv[2]) : NULL;
        if (one) help_command(one);
        else help_all(commands, count);
        return argc > 1 ? EXIT_DONE : EXIT_USAGE;
    }
    struct call c = { .command = find(commands, count, name), .json = has_word(argc, argv, "--json") };
    if (!c.command)
        return say_failure(&c, EXIT_USAGE, NULL, "`holdfast --help` lists the commands.", "there is no command `%s`", name);
    if (has_word(argc, argv, "--help") || has_word(argc, argv, "-h")) {
        help_command(c.command);
        return EXIT_DONE;
    }
    enum exits code = parse(&c, argc, argv);
    return code == EXIT_DONE ? c.command->run(&c) : code;
}
