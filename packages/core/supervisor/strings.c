/* Lists of strings for a program: its arguments, its environment. Each list owns its strings. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

char *string_of(slice_t text) {
  char *copy = malloc(text.length + 1);
  if (!copy) host_fatal("out of memory");
  if (text.length) memcpy(copy, text.data, text.length);
  copy[text.length] = 0;
  return copy;
}

void strings_add(strings_t *list, slice_t text) {
  if (list->count + 2 > list->capacity) {
    size_t capacity = list->capacity ? list->capacity * 2 : 16; /* a frame's length bounds it far below where it wraps */
    char **items = realloc(list->items, capacity * sizeof *items);
    if (!items) host_fatal("out of memory");
    list->items = items;
    list->capacity = capacity;
  }
  list->items[list->count++] = string_of(text);
  list->items[list->count] = NULL;
}

void strings_add_text(strings_t *list, const char *text) {
  strings_add(list, (slice_t){(const uint8_t *)text, strlen(text)});
}

void strings_add_fields(strings_t *list, slice_t fields, uint8_t wanted) {
  problem_t problem = {0};
  uint8_t tag;
  slice_t value;
  while (field_next(&fields, &tag, &value, &problem))
    if (tag == wanted) strings_add(list, value);
}

/* The container's own environment shows through where the list does not say otherwise. */
void strings_inherit(strings_t *list) {
  size_t own = list->count;
  for (char **e = environ; *e; e++) {
    size_t name = strcspn(*e, "=") + 1;
    bool known = false;
    for (size_t i = 0; i < own && !known; i++) known = strncmp(list->items[i], *e, name) == 0;
    if (!known) strings_add_text(list, *e);
  }
}

void strings_free(strings_t *list) {
  for (size_t i = 0; i < list->count; i++) free(list->items[i]);
  free(list->items);
  *list = (strings_t){0};
}
