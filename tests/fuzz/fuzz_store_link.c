/* The parent's side of a store connection says whatever it likes. The first byte
 * chooses what is asked of it; the sequence of our questions is 1, 2, … */
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "diskcrypt/seal.h"
#include "tests/fuzz/reach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 100 };

static err take(void *self, const uint8_t *p, size_t n)
{
    (void)p;
    *(size_t *)self += n;
    return OK;
}

static void ask(struct store *s, unsigned what)
{
    uint8_t head[LINK_HEAD_MAX];
    size_t n = 0;
    uint64_t total = 0;
    uint32_t objects;
    bool present;
    if (what % 3 == 0 && s->head_get(s, head, &n).code == E_OK && n > 0)
        fuzz_reached("store_link.head");
    if (what % 3 == 1 && s->get(s, &total, "x", MAX, (struct store_sink){ take, &n }).code == E_OK) {
        MUST(total == n && n <= MAX);
        if (n > 0)
            fuzz_reached("store_link.get");
    }
    if (what % 3 == 2 && s->list(s, &objects, &present).code == E_OK)
        fuzz_reached("store_link.list");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    if (size < 1 || size > 32768)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return 0;
    FD far = ends[1];
    struct store *s = NULL;
    if (write(far, data + 1, size - 1) == (ssize_t)(size - 1) && shutdown(far, SHUT_WR) == 0 &&
        store_link(&s, &ends[0], 1000).code == E_OK) {
        fuzz_reached("store_link");
        for (unsigned what = data[0]; what > 0; what /= 3)
            ask(s, what);
    }
    if (ends[0] >= 0)
        close(ends[0]);
    store_close(&s);
    return 0;
}
