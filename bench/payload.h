/* payload: the 64 characters of a message, and a histogram of latencies. Pure: no sockets, no clock.
 *
 *   BeNcH64:  room     sender   sequence due, ns          check
 *   8         8        8        8        16               16         characters, numbers in hexadecimal
 */
#include <stdint.h>
#include <string.h>

#define MARK "BeNcH64:"
#define PAYLOAD 64

struct payload {
    uint32_t room, sender, sequence;
    uint64_t due;
};

static uint64_t check_of(const struct payload *payload)
{
    uint64_t x = (uint64_t)payload->room << 48 ^ (uint64_t)payload->sender << 32 ^ payload->sequence;
    x ^= payload->due * 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
    return x ^ x >> 32;
}

static void hex(char *out, uint64_t number, int digits)
{
    while (digits--) {
        out[digits] = "0123456789abcdef"[number & 15];
        number >>= 4;
    }
}

/* Eight hexadecimal digits at once; what is no digit gives a wrong number, which the check finds. */
static inline uint32_t unhex(const unsigned char *at)
{
    uint64_t x;
    memcpy(&x, at, 8);
    x = __builtin_bswap64(x);
    x = (x & 0x0f0f0f0f0f0f0f0full) + 9 * (x >> 6 & 0x0101010101010101ull);
    x = (x | x >> 4) & 0x00ff00ff00ff00ffull;
    x = (x | x >> 8) & 0x0000ffff0000ffffull;
    return x | x >> 16;
}

static void write_payload(char *out, const struct payload *payload)
{
    memcpy(out, MARK, 8);
    hex(out + 8, payload->room, 8);
    hex(out + 16, payload->sender, 8);
    hex(out + 24, payload->sequence, 8);
    hex(out + 32, payload->due, 16);
    hex(out + 48, check_of(payload), 16);
}

/* Whether the 64 characters are as they were written. */
static inline int read_payload(struct payload *payload, const unsigned char *at)
{
    payload->room = unhex(at + 8);
    payload->sender = unhex(at + 16);
    payload->sequence = unhex(at + 24);
    payload->due = (uint64_t)unhex(at + 32) << 32 | unhex(at + 40);
    return check_of(payload) == ((uint64_t)unhex(at + 48) << 32 | unhex(at + 56));
}

/* Log-linear: 64 steps per doubling, so a figure is right to 1.6 %. */
#define STEPS 64
static uint64_t histogram[64 * STEPS];

static void record(uint64_t latency)
{
    if (latency < STEPS) {
        histogram[latency]++;
        return;
    }
    int doublings = 63 - __builtin_clzll(latency);
    histogram[(doublings - 5) * STEPS + (latency >> (doublings - 6)) - STEPS]++;
}

static double milliseconds_at(uint32_t bucket)
{
    if (bucket < STEPS)
        return bucket / 1e6;
    int doublings = bucket / STEPS + 5;
    return (double)(((uint64_t)(bucket % STEPS) + STEPS + 0.5) * (1ull << (doublings - 6))) / 1e6;
}

static double percentile(double share)
{
    uint64_t total = 0, seen = 0;
    for (uint32_t i = 0; i < sizeof histogram / sizeof *histogram; i++)
        total += histogram[i];
    for (uint32_t i = 0; i < sizeof histogram / sizeof *histogram; i++) {
        seen += histogram[i];
        if (total && seen >= share * total && seen)
            return milliseconds_at(i);
    }
    return 0;
}
