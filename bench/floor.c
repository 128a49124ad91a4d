/* floor: the least a chat server on sockets can cost.
 *
 * One thread, one epoll. Any path is a room; whatever text a member sends goes to every member of the room, the sender
 * too, framed once. It keeps no log, gives no ids, checks no UTF-8 and reads no JSON: what it costs is the kernel's price
 * for the deliveries, and a real server's distance to it is the price of being one.
 *
 *   floor --port 9000             form a: one write per message and member
 *   floor --port 9000 --gather    form b: what one round of epoll brought leaves as one write per member
 *
 * It is made for one client, the benchmark's load generator, on loopback: it answers that client's fixed handshake key,
 * knows no fragments, and drops whoever breaks a rule. A member whose socket is full gets a queue; over QUEUE_MAX the
 * member is dropped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 1024          /* per round of epoll */
#define BUCKETS 16384        /* of the table of rooms */
#define QUEUE_MAX (1u << 20) /* bytes that may wait for one member */
#define INPUT_MAX (1u << 17) /* bytes read at once, and the longest frame */

struct bytes {
    unsigned char *at;
    uint32_t length, capacity;
};

struct member {
    int fd;
    uint32_t seat; /* where the room's list has it */
    struct room *room; /* NULL: still shaking hands */
    struct bytes unread; /* a frame's beginning */
    struct bytes unsent;
};

struct room {
    struct room *next;
    struct member **members;
    uint32_t count, capacity;
    struct bytes pending; /* form b: frames of this round */
    int touched;
    char name[];
};

static int epoll_fd, gathers;
static struct room *rooms[BUCKETS];
static struct room **touched;
static uint32_t touched_count, touched_capacity;
static struct member **dropped; /* freed when the round is over: later events of it may still point there */
static uint32_t dropped_count, dropped_capacity;
static unsigned char input[INPUT_MAX];

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *grown(void *list, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity ? *capacity * 2 : 4;
    list = realloc(list, *capacity * size);
    if (!list)
        die("memory");
    return list;
}

static void append(struct bytes *bytes, const void *data, uint32_t length)
{
    if (bytes->length + length > bytes->capacity) {
        bytes->capacity = (bytes->length + length) * 2;
        bytes->at = realloc(bytes->at, bytes->capacity);
        if (!bytes->at)
            die("memory");
    }
    memcpy(bytes->at + bytes->length, data, length);
    bytes->length += length;
}

static void release(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}

/* -- rooms */

static struct room *find_room(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    struct room **bucket = &rooms[hash % BUCKETS];
    for (struct room *room = *bucket; room; room = room->next)
        if (strlen(room->name) == length && !memcmp(room->name, name, length))
            return room;
    struct room *room = calloc(1, sizeof *room + length + 1);
    if (!room)
        die("memory");
    memcpy(room->name, name, length);
    room->next = *bucket;
    return *bucket = room;
}

static void join(struct room *room, struct member *member)
{
    room->members = grown(room->members, room->count, &room->capacity, sizeof *room->members);
    member->room = room;
    member->seat = room->count;
    room->members[room->count++] = member;
}

static void drop(struct member *member)
{
    if (member->fd < 0)
        return;
    close(member->fd);
    member->fd = -1;
    release(&member->unread);
    release(&member->unsent);
    if (member->room) {
        struct room *room = member->room;
        struct member *last = room->members[--room->count];
        room->members[member->seat] = last;
        last->seat = member->seat;
    }
    dropped = grown(dropped, dropped_count, &dropped_capacity, sizeof *dropped);
    dropped[dropped_count++] = member;
}

/* -- out */

static void watch(struct member *member, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = member};
    if (epoll_ctl(epoll_fd, operation, member->fd, &event))
        die("epoll_ctl");
}

/* 0: the member is gone. */
static int tell(struct member *member, const unsigned char *data, uint32_t length)
{
    ssize_t written = 0;
    if (!member->unsent.length) {
        written = write(member->fd, data, length);
        if (written == (ssize_t)length)
            return 1;
        if (written < 0) {
            if (errno != EAGAIN)
                return drop(member), 0;
            written = 0;
        }
        watch(member, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    if (member->unsent.length + length > QUEUE_MAX)
        return drop(member), 0;
    append(&member->unsent, data + written, length - written);
    return 1;
}

static void tell_unsent(struct member *member)
{
    struct bytes *unsent = &member->unsent;
    ssize_t written = write(member->fd, unsent->at, unsent->length);
    if (written < 0) {
        if (errno != EAGAIN)
            drop(member);
        return;
    }
    memmove(unsent->at, unsent->at + written, unsent->length - written);
    unsent->length -= written;
    if (!unsent->length) {
        release(unsent);
        watch(member, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static void tell_room(struct room *room, const unsigned char *data, uint32_t length)
{
    for (uint32_t i = 0; i < room->count;)
        i += tell(room->members[i], data, length); /* a dropped member's seat is taken by the last: look again */
}

static void gather(struct room *room, const unsigned char *data, uint32_t length)
{
    append(&room->pending, data, length);
    if (room->touched)
        return;
    room->touched = 1;
    touched = grown(touched, touched_count, &touched_capacity, sizeof *touched);
    touched[touched_count++] = room;
}

static void tell_touched(void)
{
    for (uint32_t i = 0; i < touched_count; i++) {
        struct room *room = touched[i];
        tell_room(room, room->pending.at, room->pending.length);
        room->pending.length = 0;
        room->touched = 0;
    }
    touched_count = 0;
}

/* -- in */

static void message(struct member *member, const unsigned char *text, uint32_t length)
{
    static unsigned char frame[INPUT_MAX + 4];
    uint32_t head = 2;
    frame[0] = 0x81;
    if (length < 126) {
        frame[1] = length;
    } else {
        frame[1] = 126;
        frame[2] = length >> 8;
        frame[3] = length;
        head = 4;
    }
    memcpy(frame + head, text, length);
    (gathers ? gather : tell_room)(member->room, frame, head + length);
}

/* Bytes of the frame that begins at *at*, 0 if more must be read first, -1 for a member to drop. */
static int frame(struct member *member, unsigned char *at, uint32_t have)
{
    if (have < 6)
        return 0;
    uint32_t length = at[1] & 127, head = 6;
    if (length == 127 || !(at[1] & 128))
        return -1;
    if (length == 126) {
        length = at[2] << 8 | at[3];
        head = 8;
    }
    if (have < head + length)
        return 0;
    unsigned char *mask = at + head - 4, *text = at + head;
    for (uint32_t i = 0; i < length; i++)
        text[i] ^= mask[i & 3];
    if (at[0] == 0x81)
        message(member, text, length);
    else if (at[0] != 0x8a) /* a pong says nothing; a close ends it */
        return -1;
    return head + length;
}

/* The same as frame(), for the handshake. */
static int handshake(struct member *member, char *at, uint32_t have)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    char *end = memmem(at, have, "\r\n\r\n", 4);
    if (!end)
        return have < 4096 ? 0 : -1;
    char *path = memchr(at, ' ', end - at), *stop = path ? memchr(path + 1, ' ', end - path - 1) : NULL;
    if (!stop)
        return -1;
    if (memmem(at, end - at, "Upgrade: websocket", 18)) {
        join(find_room(path + 1, stop - path - 1), member);
        return tell(member, (const unsigned char *)answer, sizeof answer - 1) ? end + 4 - at : -1;
    }
    static const char ready[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    (void)!write(member->fd, ready, sizeof ready - 1);
    return -1;
}

static void hear(struct member *member)
{
    uint32_t have = member->unread.length;
    memcpy(input, member->unread.at ? (void *)member->unread.at : "", have);
    ssize_t got = read(member->fd, input + have, sizeof input - have);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(member);
        return;
    }
    have += got;
    uint32_t done = 0;
    while (done < have) {
        int used = member->room ? frame(member, input + done, have - done)
                                : handshake(member, (char *)input + done, have - done);
        if (used < 0 || (used == 0 && have - done == sizeof input))
            return drop(member);
        if (used == 0 || member->fd < 0)
            break;
        done += used;
    }
    if (member->fd < 0)
        return;
    member->unread.length = 0;
    if (done < have)
        append(&member->unread, input + done, have - done);
    else
        release(&member->unread);
}

static void welcome(int listener)
{
    for (int i = 0; i < 64; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct member *member = calloc(1, sizeof *member);
        if (!member)
            die("memory");
        member->fd = fd;
        watch(member, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024))
        die("listen");
    return fd;
}

static void serve(int listener)
{
    struct epoll_event events[EVENTS], arrivals = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &arrivals))
        die("epoll_ctl");
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct member *member = events[i].data.ptr;
            if (!member) {
                welcome(listener);
                continue;
            }
            if (member->fd >= 0 && events[i].events & EPOLLOUT)
                tell_unsent(member);
            if (member->fd >= 0 && events[i].events & ~EPOLLOUT)
                hear(member);
        }
        tell_touched();
        while (dropped_count)
            free(dropped[--dropped_count]);
    }
}

int main(int argc, char **argv)
{
    int port = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--port") && i + 1 < argc)
            port = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--gather"))
            gathers = 1;
        else
            return fprintf(stderr, "usage: floor --port PORT [--gather]\n"), 64;
    }
    signal(SIGPIPE, SIG_IGN); /* a member that is gone shows as EPIPE */
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    serve(listen_on(port));
}
