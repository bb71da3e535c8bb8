/* cmd_paper.c - `holdfast policy`, `release`, `veto`, `permit`, `genesis`: what maintainers agree on, offline. */
#include <stdio.h>
#include <string.h>

#include "parent/ask.h"
#include "parent/paper.h"
#include "parent/say.h"

static enum exits run_show(const struct call *c, const char *path)
{
    PAPER p = { 0 };
    enum exits code = paper_load(&p, c, path, paper_kind(c));
    if (code != EXIT_DONE) return code;
    JSON out = paper_json(&p);
    if (c->json) return say_json(&out);
    paper_say(&p);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static enum exits run_paper(const struct call *c)
{
    static const struct { const char *name; enum exits (*run)(const struct call *, const char *path); } parts[] = {
        { "show", run_show }, { "sign", paper_sign }, { "check", paper_check }, { "submit", paper_submit },
    };
    const char *word = c->operands[0], *path = c->operand_count > 1 ? c->operands[1] : NULL;
    if (strcmp(word, "init") == 0) return path ? say_failure(c, EXIT_USAGE, NULL, NULL, "%s init: too many words: %s", c->command->name, path) : paper_init(c);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(word, parts[i].name) == 0)
            return path ? parts[i].run(c, path) : say_failure(c, EXIT_USAGE, NULL, NULL, "%s %s: the document's FILE is missing", c->command->name, word);
    char hint[96];
    snprintf(hint, sizeof hint, "`holdfast %s --help` lists what there is.", c->command->name);
    return say_failure(c, EXIT_USAGE, NULL, hint, "there is no `%s %.64s`", c->command->name, word);
}

#define OPERANDS "init|show|sign|check|submit [FILE]"
#define DETAILS \
    "init prints a new document. show explains one. sign shows it and has ssh-keygen sign these very bytes, into FILE.sig; without --key\n" \
    "it prints how, and the Nostr event to sign instead. check accounts for each check that a service makes, with the signatures given.\n" \
    "submit hands it, with those, to the service at --url, which judges and logs it.\n" \
    "Exit code 1: refused, with the reason. A document is its exact bytes: after signing, leave the file as it is."
#define SIGN_OPTIONS \
    { "key", "FILE", "sign: an SSH key, Ed25519 or Ed25519-SK; its .pub where an agent has it" }, \
    { "out", "FILE", "sign: where the signature goes (default: the document's name and .sig)" }, \
    { "sig", "FILE...", "check, submit: a signature, SSH's or a Nostr event; given again for each" }, \
    { "url", "ADDRESS", "submit: the running service: http://HOST:PORT or unix:PATH (default " ASK_DEFAULT_URL ")" }, \
    { "at", "SECONDS", "check: at this time (unix seconds), not now" }, \
    { NULL, NULL, NULL }
#define VALID(days) { "valid", "DAYS", "init: for how long (default " days ")" }
#define NOT_BEFORE { "not-before", "SECONDS", "init: valid from then on (unix seconds; default: now)" }
#define POLICY { "policy", "FILE", "the policy in force" }

static const struct option_row policy_options[] = {
    { "service", "HEX", "the service's id; init: else that of --previous" },
    { "network", "NAME", "init: mainnet, testnet, signet or regtest" },
    { "keys", "FILE", "init: the maintainers, `NAME KIND KEY` a line" },
    { "threshold", "N", "init: how many of them it takes (default: all)" },
    { "veto-keys", "FILE", "init: who can stop a release while it waits" },
    { "veto-threshold", "N", "init: how many of them it takes (default 1)" },
    { "delay", "SECONDS", "init: how long what was agreed waits" },
    { "emergency-threshold", "N", "init: how many it takes for an emergency release" },
    { "emergency-delay", "SECONDS", "init: how long that waits" },
    { "revoke", "KEY|HEX", "init: a key, or a release's SHA-256, that never counts again" },
    { "previous", "FILE", "the policy in force; init: what is not given stays as it is there" },
    { "genesis", "FILE", "the genesis authorisation that the first policy follows" },
    VALID("365"), SIGN_OPTIONS,
};
static const struct option_row release_options[] = {
    POLICY,
    { "image", "EIF", "init: measure this enclave image" },
    { "pcr0", "HEX", "init: or say what it measures as" }, { "pcr1", "HEX", "init" }, { "pcr2", "HEX", "init" },
    { "pcr8", "HEX", "init: of a signed image" },
    { "sequence", "N", "init: higher than that of the release before" },
    { "label", "TEXT", "init: what people call it" },
    { "commit", "HEX", "init: the source's commit" },
    { "min-generation", "N", "init: the oldest state that it may start from (default 0)" },
    { "emergency", NULL, "init: more keys, and the shorter delay" },
    { "last-sequence", "N", "check: of the newest release in effect (default 0)" },
    { "generation", "N", "check: of the service's state (default: new enough)" },
    { "vetoed", "HEX", "check: a release's SHA-256 that was vetoed" },
    NOT_BEFORE, VALID("30"), SIGN_OPTIONS,
};
static const struct option_row veto_options[] = {
    POLICY, { "release", "FILE", "what is to be stopped" }, VALID("30"), SIGN_OPTIONS,
};
static const struct option_row permit_options[] = {
    POLICY,
    { "generation", "N", "init: of the state to go back to; check: of the one there" },
    { "log-size", "N", "likewise: the log's size" },
    { "head", "HEX", "likewise: the SHA-256 of its manifest" },
    NOT_BEFORE, VALID("30"), SIGN_OPTIONS,
};
static const struct option_row genesis_options[] = {
    { "network", "NAME", "init: mainnet, testnet, signet or regtest" },
    { "name", "TEXT", "init: what the service is to be called" },
    { "key-arn", "ARN", "init: its KMS key" },
    { "blockhash", "HEX", "init: its block hash, as explorers show it" },
    { "profile", "NAME", "init: its derivation profile" },
    { "keys", "FILE", "init: whom the first policy has to satisfy, `NAME KIND KEY` a line" },
    { "threshold", "N", "init: how many of them it takes (default: all)" },
    { "founders", "FILE", "check: the keys in the measured configuration" },
    { "founders-threshold", "N", "check: how many of them it takes (default: all)" },
    NOT_BEFORE, VALID("30"), SIGN_OPTIONS,
};

#define ROW(variable, name_, summary_, options_) \
    const struct command variable = { \
        .name = name_, .operands = OPERANDS, .operands_least = 1, .operands_most = 2, .summary = summary_, .options = options_, .run = run_paper, .details = DETAILS, \
    }
ROW(policy_command, "policy", "Who may change the service, and how: make, sign, check, submit.", policy_options);
ROW(release_command, "release", "A build that may take over: make, sign, check, submit.", release_options);
ROW(veto_command, "veto", "Stop a release while it waits: make, sign, check, submit.", veto_options);
ROW(permit_command, "permit", "Allow one rollback of the state: make, sign, check, submit.", permit_options);
ROW(genesis_command, "genesis", "Authorise a service's beginning: make, sign, check, submit.", genesis_options);
