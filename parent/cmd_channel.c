/* cmd_channel.c - whether a command's question is encrypted, and to which key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "parent/ask.h"
#include "parent/say.h"

enum { FIND_S = 10 };

static enum exits read_key(uint8_t key[static CHANNEL_KEY], const struct call *c, const char *text)
{
    if (!hex_to(key, CHANNEL_KEY, text, strlen(text)).code) return EXIT_DONE;
    return say_failure(c, EXIT_USAGE, NULL, "`holdfast verify --url ADDRESS --json` shows the attested one, as document.public_key.",
                       "--channel-key takes 64 hex digits or auto");
}

/* With a key that the caller trusts: anything else than its holder is a failure. */
static enum exits find_trusted(struct channel_target *t, const struct call *c, const uint8_t key[static CHANNEL_KEY])
{
    HTTP_ANSWER a = { 0 };
    err e = channel_find(t, &a, call_url(c), FIND_S);
    if (e.code == E_ABSENT) return say_failure(c, EXIT_REACH, NULL, "Is it starting? `holdfast status --plain` tells.", "%s: %s", call_url(c), a.reason);
    if (e.code) return call_unreached(c, e, &a);
    if (memcmp(t->key, key, CHANNEL_KEY) == 0) return EXIT_DONE;
    return say_failure(c, EXIT_REFUSED, NULL, "It changes once, when the service is set up, and at a rekey: verify it again.",
                       "%s says another channel key than the one expected", call_url(c));
}

/* By the service's own word, where it offers a channel: no worse than in the clear, and no better
 * against whoever can change what is on the way. */
static bool find_offered(struct channel_target *t, const struct call *c)
{
    HTTP_ANSWER a = { 0 };
    if (channel_find(t, &a, call_url(c), FIND_S).code) return false;
    const bool matters = strcmp(c->command->name, "setup") == 0 || strcmp(c->command->name, "sign") == 0;
    if (matters) fputs("CHANNEL: encrypted to a key that nobody vouched for. --channel-key auto verifies it.\n", stderr);
    return true;
}

enum exits call_channel(struct channel_target *target, bool *channel, const struct call *c)
{
    uint8_t key[CHANNEL_KEY];
    const bool plain = call_value(c, "plain") != NULL;
    const bool evidence = call_value(c, "root") || call_value(c, "image") || c->repeated_count;
    const char *text = call_value(c, "channel-key");
    *channel = false;
    if (plain && (text || evidence)) return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: --plain goes with no other option of the channel", c->command->name);
    if (plain) return EXIT_DONE;
    if (!text) text = evidence ? "auto" : getenv("HOLDFAST_CHANNEL_KEY");
    if (!text || !*text) {
        *channel = find_offered(target, c);
        return EXIT_DONE;
    }
    const bool automatic = strcmp(text, "auto") == 0;
    if (evidence && !automatic) return say_failure(c, EXIT_USAGE, NULL, NULL, "%s: --root, --image and --pcr go with --channel-key auto", c->command->name);
    enum exits code = automatic ? call_attested_key(key, c) : read_key(key, c, text);
    if (code == EXIT_DONE) code = find_trusted(target, c, key);
    *channel = code == EXIT_DONE;
    return code;
}
