// What the row of Go runs.
package main

import "fmt"

func main() { fmt.Println(`{"hello":"compiled"}`) }
