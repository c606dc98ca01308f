/* An agent that is a command, in C99 with nothing but its standard library.
 *
 *     cc -std=c99 -O2 -o cmd_agent examples/cmd_agent.c
 *     rlbench run --suite atari100k --agent cmd:./cmd_agent --tasks Pong --seeds 3
 *
 * It acts at random and learns nothing, but it is told of every transition. What goes over the
 * pipes is in docs/agent-protocol.md. The few fields that it needs are found by their names, which
 * that page allows: the runner writes headers without spaces, and `type`, `phase`, `n` and `bytes`
 * stand before anything else.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *reason)
{
    fprintf(stderr, "cmd_agent: %s\n", reason);
    exit(1);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL)
        fail("out of memory");
    return memory;
}

static void *read_bytes(size_t size)
{
    char *data = allocate(size + 1);
    if (fread(data, 1, size, stdin) != size)
        fail("the runner is gone");
    data[size] = '\0';
    return data;
}

static void write_number(uint64_t value, int bytes)
{
    for (int k = 0; k < bytes; k++)
        putchar((int)(value >> (8 * k) & 0xff)); /* little-endian on any machine */
}

static void write_header(const char *header)
{
    write_number(strlen(header), 4);
    fputs(header, stdout);
}

static char *read_header(void)
{
    unsigned char *length = read_bytes(4);
    size_t size = length[0] | length[1] << 8 | length[2] << 16 | (size_t)length[3] << 24;
    free(length);
    return read_bytes(size);
}

/* Return the number that follows a field's name, the first time that it occurs. */
static unsigned long long number(const char *json, const char *field)
{
    const char *found = strstr(json, field);
    if (found == NULL)
        fail("a field is missing in a header");
    return strtoull(found + strlen(field), NULL, 10);
}

static int is(const char *header, const char *type)
{
    return strncmp(header, type, strlen(type)) == 0;
}

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int main(void)
{
    char *hello = read_header();
    const char *space = strstr(hello, "\"action_space\":{\"type\":\"discrete\",");
    if (space == NULL) {
        write_header("{\"type\":\"error\",\"reason\":\"this example plays with discrete actions only\"}");
        return 1;
    }
    uint64_t choices = number(space, "\"n\":"), start = number(space, "\"start\":");
    /* A generator for each phase: evaluation must not change how training goes on. */
    uint64_t train = number(hello, "\"seed\":"), eval = train ^ 0x5851f42d4c957f2du;
    free(hello);
    write_header("{\"type\":\"hello\",\"version\":1,\"learns\":\"observe\"}");

    for (;;) {
        fflush(stdout);
        char *header = read_header();
        char *arrays = read_bytes(number(header, "\"bytes\":"));
        if (is(header, "{\"type\":\"close\""))
            return 0;
        if (is(header, "{\"type\":\"act\"")) { /* "observe" needs no answer */
            uint64_t *state = is(header, "{\"type\":\"act\",\"phase\":\"eval\"") ? &eval : &train;
            unsigned long long n = number(header, "\"n\":");
            char answer[120];
            snprintf(answer, sizeof answer,
                     "{\"type\":\"act\",\"arrays\":[{\"name\":\"action\",\"dtype\":\"int64\",\"shape\":[%llu]}]}", n);
            write_header(answer);
            for (unsigned long long k = 0; k < n; k++)
                write_number(start + draw(state) % choices, 8);
        }
        free(arrays);
        free(header);
    }
}
