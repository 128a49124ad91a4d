/* load: members of many rooms on one chat server, and the bookkeeping of everything they are told.
 *
 * One thread, one epoll. It opens rooms * members WebSockets, lets the first `senders` members of each room talk, and
 * checks every single delivery: each member must get each message of its own room once, in the order its sender sent it.
 * What comes out is one line of JSON per phase:
 *
 *   {"phase": "connected", ...}   all members are in their rooms; after this it waits `settle` seconds
 *   {"phase": "begin"}            the warm-up is over, the measured window begins: read the server's clocks now
 *   {"phase": "end"}              the window is over: read them again
 *   {"phase": "done", ...}        what was late has come, or `drain` seconds have passed; the results: its latencies are
 *                                 those of all messages due in the window, also of those that came after its end
 *
 * Open loop (--rate): messages are due at even distances, whatever the server does, and latency counts from the moment a
 * message was due, so that a server that stalls cannot hide it by slowing the load down. Closed loop (--window): each
 * sender has so many messages under way and sends the next when its own comes back. Idle (neither): it holds the members
 * until its standard input is closed.
 *
 * A message is 64 characters that say where it belongs and when it was due, with a check over all of it (payload.h).
 * The server may wrap it in anything: it is found by its first eight characters, so every dialect and every JSON encoder
 * is read alike. What is said around them is given by arguments; %r in them is the room's name, %n the
 * length of the message. --padding makes messages longer; --deaf adds members who come in and never read.
 *
 * It must cost far less than what it measures: no allocation, no system call but read() per delivery in the quiet case,
 * a few dozen nanoseconds of work when a read brings many. `load_busy` tells the share of its core that it used; near 1
 * the figures are its own, not the server's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "payload.h"

#define PADDING_MAX 4000
#define MESSAGE_MAX 6144 /* a message with its padding, what is said around it, and its frame */
#define EVENTS 512
#define INPUT_MAX (1u << 17)  /* bytes per read: fits the second-level cache */
#define FRAME_MAX (1u << 22)  /* a longer frame is an error of the server */
#define UNSENT_MAX (1u << 20) /* bytes a sender may have waiting; then its messages are not sent, and counted */
#define GREETS_MAX 8
#define HOLES_MAX (1u << 23)  /* a server that loses more is only counted as lossy, not explained */
#define STALL_NS 2000000000ull /* a closed-loop sender that hears nothing for so long takes its messages for lost */
#define SECOND 1000000000ull

typedef uint64_t nanoseconds;

static struct {
    const char *host, *path, *before, *after, *header, *ping, *pong;
    struct { const char *expect, *answer; } greet[GREETS_MAX];
    int greets, port, rooms, members, senders, deaf, window, connecting, padding, binary;
    double rate, settle, warm, seconds, drain, limit;
} plan = {
    .host = "127.0.0.1", .path = "/ws/chat/%r/", .before = "{\"message\": \"", .after = "\"}", .header = "",
    .rooms = 1, .members = 2, .senders = 1, .connecting = 32,
    .settle = 0.2, .warm = 1, .seconds = 5, .drain = 3, .limit = 120,
};

/* Sequence numbers that were jumped over, of one sender at one member. Kept only where something is amiss. */
struct hole {
    struct hole *next;
    uint32_t from, until;
};

struct bytes {
    unsigned char *at;
    uint32_t length, capacity;
};

enum state { NEW, CONNECTING, SHAKING, GREETING, MEMBER, GONE };

struct member {
    int fd;
    enum state state;
    uint32_t room, seat;
    int greeted; /* steps of the greeting done */
    uint32_t sent, under_way;
    nanoseconds spoke; /* closed loop: when it last heard its own message or sent one */
    uint64_t order; /* a hash of everything heard, in its order */
    uint64_t heard;
    uint32_t *next; /* per sender of the room: the sequence number that comes next */
    struct hole **holes;
    struct bytes unread, unsent;
};

static struct {
    uint64_t delivered, doubled, misrouted, reordered, garbled, unsent, stalls, closed, bytes;
} count;

static struct member *members;
static uint32_t member_count, heard_count, open_count, started_count, connecting_count; /* heard: all but the deaf */
static int epoll_fd, timer_fd, talking;
static uint32_t hole_count;
static uint64_t due_count;
static nanoseconds began; /* of the open loop's schedule */
static nanoseconds measured_from, measured_for;
static unsigned char input[INPUT_MAX + FRAME_MAX];

/* -- small things */

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    exit(1);
}

static nanoseconds now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void *zeroed(size_t number, size_t size)
{
    void *memory = calloc(number ? number : 1, size);
    if (!memory)
        die("out of memory");
    return memory;
}

static void append(struct bytes *bytes, const void *data, uint32_t length)
{
    if (bytes->length + length > bytes->capacity) {
        bytes->capacity = (bytes->length + length) * 2;
        bytes->at = realloc(bytes->at, bytes->capacity);
        if (!bytes->at)
            die("out of memory");
    }
    memcpy(bytes->at + bytes->length, data, length);
    bytes->length += length;
}

/* *template* into *out* with the room's name for each %r and the payload's length for each %n. The length. */
static uint32_t expand(char *out, size_t size, const char *template, uint32_t room)
{
    char *at = out;
    for (const char *c = template; *c; c++) {
        if ((size_t)(at - out) + 32 > size)
            die("a template is too long: %s", template);
        if (c[0] == '%' && c[1] == 'r') {
            at += sprintf(at, "bench%u", room);
            c++;
        } else if (c[0] == '%' && c[1] == 'n') {
            at += sprintf(at, "%u", PAYLOAD + plan.padding);
            c++;
        } else {
            *at++ = *c;
        }
    }
    *at = 0;
    return at - out;
}

/* -- sending */

static void watch(struct member *member, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = member};
    if (epoll_ctl(epoll_fd, operation, member->fd, &event))
        die("epoll_ctl: %s", strerror(errno));
}

static void leave(struct member *member)
{
    if (member->state == GONE)
        return;
    if (member->state != MEMBER)
        die("member %u of %u was not let in (%s)", (uint32_t)(member - members), member_count,
            member->state == GREETING ? "the server closed after the handshake" : "refused or reset");
    close(member->fd);
    member->state = GONE;
    count.closed++;
}

static void put(struct member *member, const void *data, uint32_t length)
{
    ssize_t written = 0;
    if (!member->unsent.length) {
        written = write(member->fd, data, length);
        if (written == (ssize_t)length)
            return;
        if (written < 0) {
            if (errno != EAGAIN)
                return; /* reading will tell that it is gone */
            written = 0;
        }
        watch(member, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    append(&member->unsent, (const char *)data + written, length - written);
}

static void put_unsent(struct member *member)
{
    struct bytes *unsent = &member->unsent;
    ssize_t written = write(member->fd, unsent->at, unsent->length);
    if (written <= 0)
        return;
    memmove(unsent->at, unsent->at + written, unsent->length - written);
    unsent->length -= written;
    if (!unsent->length)
        watch(member, EPOLLIN, EPOLL_CTL_MOD);
}

/* One masked frame into *out*; its length. */
static uint32_t frame(unsigned char *out, int opcode, const void *data, uint32_t length)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint32_t head = 2;
    out[0] = 0x80 | opcode;
    if (length < 126) {
        out[1] = 0x80 | length;
    } else {
        out[1] = 0x80 | 126;
        out[2] = length >> 8;
        out[3] = length;
        head = 4;
    }
    memcpy(out + head, mask, 4);
    for (uint32_t i = 0; i < length; i++)
        out[head + 4 + i] = ((const unsigned char *)data)[i] ^ mask[i & 3];
    return head + 4 + length;
}

/* The next message of *member*, due at *due*, as a frame into *out*; its length. */
static uint32_t next_message(unsigned char *out, struct member *member, nanoseconds due)
{
    char text[MESSAGE_MAX];
    uint32_t length = expand(text, 900, plan.before, member->room);
    write_payload(text + length, &(struct payload){member->room, member->seat, member->sent, due});
    length += PAYLOAD;
    memset(text + length, 'x', plan.padding);
    length += plan.padding;
    length += expand(text + length, 900, plan.after, member->room);
    member->sent++;
    return frame(out, plan.binary ? 2 : 1, text, length);
}

static void say(struct member *member, nanoseconds due)
{
    unsigned char out[MESSAGE_MAX];
    if (member->state != MEMBER || member->unsent.length > UNSENT_MAX)
        count.unsent++;
    else
        put(member, out, next_message(out, member, due));
}

/* Closed loop: as many messages as the window has room for, in one write. */
static void fill_window(struct member *member, nanoseconds time)
{
    static unsigned char out[MESSAGE_MAX * 256];
    uint32_t length = 0;
    while (member->under_way < (uint32_t)plan.window) {
        length += next_message(out + length, member, time);
        member->under_way++;
        if (length > sizeof out - MESSAGE_MAX)
            break;
    }
    member->spoke = time;
    put(member, out, length);
}

/* -- hearing: every delivery is checked here */

static void jump(struct member *member, uint32_t sender, uint32_t from, uint32_t until)
{
    if (hole_count >= HOLES_MAX)
        return;
    struct hole *hole = malloc(sizeof *hole);
    if (!hole)
        die("out of memory");
    *hole = (struct hole){member->holes[sender], from, until};
    member->holes[sender] = hole;
    hole_count++;
}

/* Whether *sequence* was missing until now. */
static int fill_hole(struct member *member, uint32_t sender, uint32_t sequence)
{
    for (struct hole **at = &member->holes[sender]; *at; at = &(*at)->next) {
        struct hole *hole = *at;
        if (sequence < hole->from || sequence >= hole->until)
            continue;
        if (sequence + 1 < hole->until)
            jump(member, sender, sequence + 1, hole->until);
        hole->until = sequence; /* may leave it empty: harmless */
        return 1;
    }
    return 0;
}

static void deliver(struct member *member, const unsigned char *text, nanoseconds time)
{
    struct payload payload;
    if (!read_payload(&payload, text) || payload.sender >= (uint32_t)plan.senders) {
        count.garbled++;
        return;
    }
    if (payload.room != member->room) {
        count.misrouted++;
        return;
    }
    uint32_t sender = payload.sender, sequence = payload.sequence;
    uint32_t next = member->next[sender];
    if (sequence == next) {
        member->next[sender] = next + 1;
    } else if (sequence > next) {
        jump(member, sender, next, sequence);
        member->next[sender] = sequence + 1;
    } else if (fill_hole(member, sender, sequence)) {
        count.reordered++;
    } else {
        count.doubled++;
        return;
    }
    count.delivered++;
    member->heard++;
    member->order = (member->order ^ ((uint64_t)sender << 32 | sequence)) * 0x9e3779b97f4a7c15ull;
    if (payload.due - measured_from < measured_for) /* however late: a stall at the window's end counts, too */
        record(time > payload.due ? time - payload.due : 0);
    if (plan.window && sender == member->seat && member->under_way)
        member->under_way--;
}

/* Where in *text* the first payload begins; NULL if none does. */
static const unsigned char *first_payload(const unsigned char *text, size_t length)
{
    static size_t guess; /* where the last text had its first: the next mostly has it in the same place */
    if (guess + PAYLOAD <= length && !memcmp(text + guess, MARK, 8)) {
        /* Unless a whole one fits before it, which only a text with several does. */
        if (guess < PAYLOAD || !memmem(text, guess - PAYLOAD + 8, MARK, 8))
            return text + guess;
    }
    const unsigned char *found = memmem(text, length, MARK, 8);
    if (found)
        guess = found - text;
    return found;
}

/* A text that holds any number of payloads, wrapped in anything. */
static void hear_text(struct member *member, const unsigned char *text, size_t length, nanoseconds time)
{
    const unsigned char *end = text + length, *at = first_payload(text, length);
    while (at) {
        if (end - at < PAYLOAD) {
            count.garbled++;
            return;
        }
        deliver(member, at, time);
        at += PAYLOAD;
        at = end - at < PAYLOAD ? NULL : memmem(at, end - at, MARK, 8);
    }
}

static void greet(struct member *member);

static int is_ping(const unsigned char *data, size_t length)
{
    return plan.ping && length < PAYLOAD && length >= strlen(plan.ping) && !memcmp(data, plan.ping, strlen(plan.ping));
}

static void hear_frame(struct member *member, int opcode, const unsigned char *data, size_t length, nanoseconds time)
{
    unsigned char out[300];
    if (opcode == 8) {
        leave(member);
    } else if (opcode == 9) {
        put(member, out, frame(out, 10, data, length & 127));
    } else if (member->state == GREETING) {
        const char *expect = plan.greet[member->greeted].expect;
        if (memmem(data, length, expect, strlen(expect)))
            greet(member);
    } else if (is_ping(data, length)) {
        put(member, out, frame(out, plan.binary ? 2 : 1, plan.pong, strlen(plan.pong)));
    } else if (opcode <= 2) {
        hear_text(member, data, length, time);
    }
}

/* Bytes of the frame that begins at *at*, 0 if more must be read first. */
static size_t hear_next(struct member *member, const unsigned char *at, size_t have, nanoseconds time)
{
    if (have < 2)
        return 0;
    uint64_t length = at[1] & 127, head = 2;
    if (length == 126) {
        head = 4;
        if (have < head)
            return 0;
        length = at[2] << 8 | at[3];
    } else if (length == 127) {
        head = 10;
        if (have < head)
            return 0;
        memcpy(&length, at + 2, 8);
        length = __builtin_bswap64(length);
    }
    if (length > FRAME_MAX - 16)
        die("the server sent a frame of %llu bytes", (unsigned long long)length);
    if (at[1] & 128)
        die("the server sent a masked frame (RFC 6455 section 5.1)");
    if ((at[0] & 15) == 0 || (!(at[0] & 128) && at[0] < 8))
        die("the server sent a fragmented message, which this load generator does not put together");
    if (at[0] & 0x70)
        die("the server set a reserved bit without an extension (RFC 6455 section 5.2)");
    if (have < head + length)
        return 0;
    hear_frame(member, at[0] & 15, at + head, length, time);
    return head + length;
}

/* -- coming in */

static void let_in(struct member *member)
{
    connecting_count--;
    open_count++;
    member->state = MEMBER;
    if (member - members >= heard_count) /* a deaf one: it never reads again */
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, member->fd, NULL);
}

/* The step the server just took is done: answer it, and see whether it was the last. */
static void greet(struct member *member)
{
    char text[1024];
    unsigned char out[1100];
    const char *answer = plan.greet[member->greeted++].answer;
    if (*answer) {
        uint32_t length = expand(text, sizeof text, answer, member->room);
        put(member, out, frame(out, plan.binary ? 2 : 1, text, length));
    }
    if (member->greeted == plan.greets)
        let_in(member);
}

static void shake(struct member *member)
{
    char path[512], request[2048];
    expand(path, sizeof path, plan.path, member->room);
    int length = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
        path, plan.host, plan.port, plan.header);
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(member->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error || write(member->fd, request, length) != length)
        die("connecting member %u: %s", (uint32_t)(member - members), strerror(error ? error : errno));
    member->state = SHAKING;
    watch(member, EPOLLIN, EPOLL_CTL_MOD);
}

/* Bytes of the answer to the handshake, 0 if more must be read first. */
static size_t hear_answer(struct member *member, const unsigned char *at, size_t have)
{
    const unsigned char *end = memmem(at, have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (have < 12 || memcmp(at, "HTTP/1.1 101", 12))
        die("member %u was refused: %.*s", (uint32_t)(member - members), (int)(have < 400 ? have : 400), at);
    if (!memmem(at, end - at, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28)) /* RFC 6455 section 1.3: the key's answer */
        die("the server's Sec-WebSocket-Accept is wrong");
    member->state = GREETING;
    if (!plan.greets)
        let_in(member);
    else if (!*plan.greet[0].expect) /* the client speaks first */
        greet(member);
    return end + 4 - at;
}

static void connect_next(void)
{
    struct member *member = &members[started_count++];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(plan.port)};
    inet_pton(AF_INET, plan.host, &address.sin_addr);
    member->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (member->fd < 0)
        die("member %u: %s: raise the limit of open files (ulimit -n)", started_count, strerror(errno));
    setsockopt(member->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (started_count > heard_count) /* a deaf one: what it doesn't read must not use up this machine's memory for TCP */
        setsockopt(member->fd, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int));
    if (connect(member->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        die("connecting member %u: %s", started_count, strerror(errno));
    member->state = CONNECTING;
    connecting_count++;
    watch(member, EPOLLOUT, EPOLL_CTL_ADD);
}

static void hear(struct member *member)
{
    size_t have = member->unread.length, done = 0, used;
    memcpy(input, member->unread.at ? (void *)member->unread.at : "", have);
    ssize_t got = read(member->fd, input + have, INPUT_MAX);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            leave(member);
        return;
    }
    count.bytes += got;
    have += got;
    nanoseconds time = now();
    do {
        used = member->state == SHAKING ? hear_answer(member, input + done, have - done)
                                        : hear_next(member, input + done, have - done, time);
        done += used;
    } while (used && done < have && member->state != GONE);
    member->unread.length = 0;
    if (done < have && member->state != GONE)
        append(&member->unread, input + done, have - done);
    if (plan.window && talking && member->seat < (uint32_t)plan.senders && member->state == MEMBER
        && member->under_way < (uint32_t)plan.window)
        fill_window(member, time);
}

static void turn(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(epoll_fd, events, EVENTS, timeout_ms);
    for (int i = 0; i < ready; i++) {
        struct member *member = events[i].data.ptr;
        if (!member || member->state == GONE)
            continue; /* the timer: it is looked at after every turn anyway */
        if (member->state == CONNECTING) {
            shake(member);
            continue;
        }
        if (events[i].events & EPOLLOUT && member->unsent.length)
            put_unsent(member);
        if (events[i].events & ~EPOLLOUT)
            hear(member);
    }
}

/* -- time */

static nanoseconds due_at(uint64_t number)
{
    return began + (nanoseconds)(number * (SECOND / plan.rate));
}

/* Open loop: say what is due. The timer wakes the next turn when the next message is. */
static void say_due(nanoseconds time)
{
    uint32_t talkers = plan.rooms * plan.senders;
    while (due_at(due_count) <= time) {
        say(&members[due_count % talkers], due_at(due_count));
        due_count++;
    }
    nanoseconds due = due_at(due_count);
    struct itimerspec at = {.it_value = {due / SECOND, due % SECOND}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* Closed loop: begin, and begin again where the server lost a whole window. */
static void revive(nanoseconds time)
{
    for (uint32_t i = 0; i < (uint32_t)(plan.rooms * plan.senders); i++) {
        struct member *member = &members[i];
        if (member->state != MEMBER || (member->spoke && time < member->spoke + STALL_NS))
            continue;
        count.stalls += member->spoke > 0;
        member->under_way = 0;
        fill_window(member, time);
    }
}

static void talk_until(nanoseconds end)
{
    nanoseconds time, look = 0;
    talking = 1;
    while ((time = now()) < end) {
        if (plan.rate > 0) {
            say_due(time);
        } else if (time >= look) {
            revive(time);
            look = time + SECOND / 4;
        }
        turn((int)((end - time) / 1000000) + 1 < 100 ? (int)((end - time) / 1000000) + 1 : 100);
    }
    if (plan.rate > 0)
        say_due(end - 1); /* what was due while this process was not on its core */
}

static uint64_t expected(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < (uint32_t)(plan.rooms * plan.senders); i++)
        sum += (uint64_t)members[i].sent * plan.members;
    return sum;
}

/* Rooms whose members did not all hear the same things in the same order. */
static uint32_t split_rooms(void)
{
    uint32_t split = 0;
    for (uint32_t room = 0; room < (uint32_t)plan.rooms; room++)
        for (uint32_t i = room + plan.rooms; i < heard_count; i += plan.rooms)
            if (members[i].order != members[room].order) {
                split++;
                break;
            }
    return split;
}

static void come_in(void)
{
    nanoseconds start = now(), limit = start + (nanoseconds)(plan.limit * SECOND);
    while (open_count < member_count) {
        while (started_count < member_count && connecting_count < (uint32_t)plan.connecting)
            connect_next();
        turn(100);
        if (now() > limit)
            die("only %u of %u members were let in within %g s", open_count, member_count, plan.limit);
    }
    printf("{\"phase\": \"connected\", \"members\": %u, \"seconds\": %.3f}\n", member_count, (now() - start) / 1e9);
    for (nanoseconds end = now() + (nanoseconds)(plan.settle * SECOND); now() < end;)
        turn(20);
}

static void hold(void)
{
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    nanoseconds limit = now() + (nanoseconds)(plan.limit * SECOND);
    while (now() < limit && poll(&end, 1, 0) == 0)
        turn(50);
}

static void measure(void)
{
    began = now();
    talk_until(began + (nanoseconds)(plan.warm * SECOND));
    printf("{\"phase\": \"begin\"}\n");
    uint64_t delivered = count.delivered, bytes = count.bytes, sent = expected() / plan.members;
    double cpu = cpu_seconds();
    nanoseconds start = now();
    measured_from = start;
    measured_for = (nanoseconds)(plan.seconds * SECOND);
    talk_until(start + measured_for);
    talking = 0;
    double seconds = (now() - start) / 1e9;
    cpu = cpu_seconds() - cpu;
    delivered = count.delivered - delivered;
    sent = expected() / plan.members - sent;
    bytes = count.bytes - bytes;
    printf("{\"phase\": \"end\"}\n");
    for (nanoseconds end = now() + (nanoseconds)(plan.drain * SECOND); now() < end && count.delivered < expected();)
        turn(20);
    for (nanoseconds end = now() + SECOND / 5; now() < end;)
        turn(20); /* what comes after everything came is doubled or foreign */
    printf("{\"phase\": \"done\", \"window\": {\"seconds\": %.6f, \"sent\": %llu, \"delivered\": %llu, \"bytes\": %llu, "
           "\"load_busy\": %.4f, ",
           seconds, (unsigned long long)sent, (unsigned long long)delivered, (unsigned long long)bytes, cpu / seconds);
    printf("\"p50_ms\": %.4f, \"p90_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, \"max_ms\": %.4f}, ",
           percentile(0.5), percentile(0.9), percentile(0.99), percentile(0.999), percentile(1));
}

static void report(void)
{
    printf("\"expected\": %llu, \"delivered\": %llu, \"lost\": %lld, \"doubled\": %llu, \"misrouted\": %llu, "
           "\"reordered\": %llu, \"garbled\": %llu, \"split_rooms\": %u, \"closed\": %llu, \"unsent\": %llu, "
           "\"stalls\": %llu}\n",
           (unsigned long long)expected(), (unsigned long long)count.delivered,
           (long long)(expected() - count.delivered), (unsigned long long)count.doubled,
           (unsigned long long)count.misrouted, (unsigned long long)count.reordered, (unsigned long long)count.garbled,
           split_rooms(), (unsigned long long)count.closed, (unsigned long long)count.unsent,
           (unsigned long long)count.stalls);
}

/* -- from arguments to members */

static const struct option options[] = {
    {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"path", 1, 0, 'P'}, {"before", 1, 0, 'b'}, {"after", 1, 0, 'a'},
    {"header", 1, 0, 'H'}, {"expect", 1, 0, 'x'}, {"answer", 1, 0, 'y'}, {"ping", 1, 0, 'i'}, {"pong", 1, 0, 'o'},
    {"binary", 0, 0, 'B'}, {"rooms", 1, 0, 'r'}, {"members", 1, 0, 'm'}, {"senders", 1, 0, 's'}, {"deaf", 1, 0, 'D'},
    {"rate", 1, 0, 'R'}, {"window", 1, 0, 'w'}, {"connecting", 1, 0, 'c'}, {"settle", 1, 0, 'S'}, {"warm", 1, 0, 'W'},
    {"seconds", 1, 0, 't'}, {"drain", 1, 0, 'd'}, {"limit", 1, 0, 'l'}, {"padding", 1, 0, 'n'}, {0},
};

/* An argument with \r, \n and \\ spelled out. */
static const char *unescaped(char *text)
{
    char *out = text;
    for (char *c = text; *c; c++)
        if (*c == '\\' && c[1] && strchr("rn\\", c[1])) {
            c++;
            *out++ = *c == 'r' ? '\r' : *c == 'n' ? '\n' : '\\';
        } else {
            *out++ = *c;
        }
    *out = 0;
    return text;
}

static void take(int option, char *value)
{
    switch (option) {
    case 'h': plan.host = value; break;
    case 'p': plan.port = atoi(value); break;
    case 'P': plan.path = value; break;
    case 'b': plan.before = unescaped(value); break;
    case 'a': plan.after = unescaped(value); break;
    case 'H': plan.header = unescaped(value); break;
    case 'i': plan.ping = unescaped(value); break;
    case 'o': plan.pong = unescaped(value); break;
    case 'B': plan.binary = 1; break;
    case 'r': plan.rooms = atoi(value); break;
    case 'm': plan.members = atoi(value); break;
    case 's': plan.senders = atoi(value); break;
    case 'D': plan.deaf = atoi(value); break;
    case 'R': plan.rate = atof(value); break;
    case 'w': plan.window = atoi(value); break;
    case 'c': plan.connecting = atoi(value); break;
    case 'S': plan.settle = atof(value); break;
    case 'W': plan.warm = atof(value); break;
    case 't': plan.seconds = atof(value); break;
    case 'd': plan.drain = atof(value); break;
    case 'l': plan.limit = atof(value); break;
    case 'n': plan.padding = atoi(value); break;
    case 'x':
        if (plan.greets == GREETS_MAX)
            die("at most %d --expect", GREETS_MAX);
        plan.greet[plan.greets].answer = "";
        plan.greet[plan.greets++].expect = unescaped(value);
        break;
    case 'y':
        if (!plan.greets)
            die("--answer comes after its --expect");
        plan.greet[plan.greets - 1].answer = unescaped(value);
        break;
    default: exit(64);
    }
}

static void check_plan(void)
{
    if (plan.port < 1 || plan.rooms < 1 || plan.members < 1 || plan.senders < 0 || plan.senders > plan.members)
        die("needs a --port, at least one room and member, and no more senders than members");
    if (plan.rate > 0 && plan.window > 0)
        die("--rate (open loop) or --window (closed loop), not both");
    if (plan.padding < 0 || plan.padding > PADDING_MAX)
        die("--padding is at most %d", PADDING_MAX);
    if (plan.window > 256)
        die("--window is at most 256");
    if ((plan.rate > 0 || plan.window) && !plan.senders)
        die("somebody must talk: --senders");
    if (!plan.ping != !plan.pong)
        die("--ping needs its --pong");
}

static void seat_members(void)
{
    heard_count = plan.rooms * plan.members;
    member_count = heard_count + plan.deaf;
    members = zeroed(member_count, sizeof *members);
    uint32_t *next = zeroed((size_t)member_count * plan.senders, sizeof *next);
    struct hole **holes = zeroed((size_t)member_count * plan.senders, sizeof *holes);
    for (uint32_t i = 0; i < member_count; i++)
        members[i] = (struct member){
            .room = i % plan.rooms,
            .seat = i / plan.rooms,
            .next = next + (size_t)i * plan.senders,
            .holes = holes + (size_t)i * plan.senders,
        };
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        take(option, optarg);
    check_plan();
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event timer = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &timer))
        die("epoll_ctl: %s", strerror(errno));
    seat_members();
    come_in();
    if (plan.rate > 0 || plan.window) {
        measure();
        report();
    } else {
        hold();
    }
}
