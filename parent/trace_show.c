/* trace_show.c - an instruction a line: where, what, and both stacks behind it, the top last. */
#include "parent/trace_show.h"

#include <stdio.h>
#include <string.h>

#include "parent/say.h"

static void show_text(const json_t *v, const char *without)
{
    const char *text = json_string_value(v);
    if (!text || !*text) fputs(without, stdout);
    else say_text(text, strlen(text));
}

static void show_stack(const json_t *stack, const json_t *below)
{
    size_t i;
    json_t *item;
    if (json_integer_value(below) > 0) printf(" (%lld more)", (long long)json_integer_value(below));
    json_array_foreach(stack, i, item) {
        putchar(' ');
        show_text(item, "''");
    }
}

static void show_step(const json_t *s)
{
    const char *op = json_string_value(json_object_get(s, "op"));
    const json_t *alt = json_object_get(s, "alt"), *error = json_object_get(s, "error");
    char name[32];
    snprintf(name, sizeof name, "%s", op ? op : "?");
    printf("%7lld %c ", (long long)json_integer_value(json_object_get(s, "pc")), json_is_false(json_object_get(s, "executed")) ? '-' : ' ');
    say_text(name, strlen(name));
    for (size_t n = strlen(name); n < 23; n++) putchar(' ');
    show_stack(json_object_get(s, "stack"), json_object_get(s, "below"));
    if (json_array_size(alt) > 0 || json_object_get(s, "alt_below")) {
        fputs(" | alt", stdout);
        show_stack(alt, json_object_get(s, "alt_below"));
    }
    if (error) {
        fputs("  <- ", stdout);
        show_text(error, "?");
    }
    putchar('\n');
}

void trace_show(const json_t *trace)
{
    size_t i, k;
    json_t *input, *step;
    json_array_foreach(json_object_get(trace, "inputs"), i, input) {
        printf("input %lld:\n     pc   %-23s stack behind it, the top last (-: in a branch not taken)\n",
               (long long)json_integer_value(json_object_get(input, "index")), "instruction");
        json_array_foreach(json_object_get(input, "steps"), k, step) show_step(step);
    }
    if (json_is_true(json_object_get(trace, "truncated"))) puts("The trace is not whole: there was more than it has room for.");
}

void trace_show_valid(const json_t *body)
{
    size_t i;
    json_t *input;
    json_array_foreach(json_object_get(body, "inputs"), i, input) {
        const json_t *skipped = json_object_get(input, "skipped");
        printf("input %zu: %s", i, skipped ? "not emulated: " : "valid");
        if (skipped) show_text(skipped, "?");
        putchar('\n');
    }
    trace_show(json_object_get(body, "trace"));
}
