// What the row of C++ runs.
#include <cstdio>

int main() { std::puts("{\"hello\":\"compiled\"}"); }
