/* psbt_run: reads PSBTs in hex, one a line, and says of each what the reader makes of it: the version and the
 * transaction with its witnesses in hex, or why not. For tests/system/test_psbt_npm.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "signer/psbt.h"

enum { LINE_MAX_ = 1 << 20 };

static void say(const uint8_t *p, size_t n)
{
    PSBT q = NULL;
    BYTES room = NULL;
    TEXT text = NULL;
    struct psbt_fault why;
    char words[PSBT_TEXT];
    if (psbt_parse(&q, &why, p, n).code) {
        psbt_fault_text(words, &why);
        printf("refused %s\n", words);
        return;
    }
    const size_t size = tx_size(q->tx, true);
    text = malloc(2 * size + 1);
    MUST(text && mem_new(&room, size).code == E_OK);
    struct wr w = wr_of(room, size);
    tx_write(&w, q->tx, true);
    hex_from(text, room, size);
    printf("%u %s\n", q->version, text);
}

int main(void)
{
    log_open("psbt_run", LOG_ERROR + 1);
    TEXT line = malloc(LINE_MAX_);
    BYTES raw = malloc(LINE_MAX_ / 2);
    MUST(line && raw);
    while (fgets(line, LINE_MAX_, stdin)) {
        const size_t digits = strcspn(line, "\n");
        if (hex_to(raw, digits / 2, line, digits).code) puts("not hex");
        else say(raw, digits / 2);
    }
    return 0;
}
