// Go, with redigo: apt-get install golang-go golang-github-gomodule-redigo-dev.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

var lines = bufio.NewReader(os.Stdin)

// Say how far it is, and wait until the test has done its part.
func tell(word string) {
	fmt.Println(word)
	lines.ReadString('\n')
}

func check(holds bool, what ...any) {
	if !holds {
		log.Fatal(what...)
	}
}

// Ask until there is an answer, as a program does that goes on; the pool drops a connection that failed.
func comeBack(pool *redis.Pool) {
	for round := 0; round < 100; round++ {
		connection := pool.Get()
		said, err := redis.String(connection.Do("ECHO", "back"))
		connection.Close()
		if err == nil && said == "back" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	log.Fatal("did not come back")
}

func main() {
	pem, err := os.ReadFile(os.Getenv("CA"))
	check(err == nil, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pool := &redis.Pool{MaxIdle: 1, Dial: func() (redis.Conn, error) {
		return redis.Dial("tcp", "localhost:"+os.Getenv("PORT"), redis.DialPassword(os.Getenv("TOKEN")),
			redis.DialUseTLS(true), redis.DialTLSConfig(&tls.Config{RootCAs: roots, ServerName: "localhost"}))
	}}
	connection := pool.Get()
	binary := []byte("\r\n")
	for value := 0; value < 256; value++ {
		binary = append(binary, byte(value))
	}
	echoed, err := redis.Bytes(connection.Do("ECHO", binary))
	check(err == nil && bytes.Equal(echoed, binary), "echo", err)
	list, err := redis.String(connection.Do("CLIENT", "LIST"))
	check(err == nil && strings.Count(list, " user=admin ") == 1, "list", list, err)
	for number := 0; number < 1000; number++ {
		check(connection.Send("ECHO", number) == nil, "send")
	}
	check(connection.Flush() == nil, "flush")
	for number := 0; number < 1000; number++ {
		said, err := redis.String(connection.Receive())
		check(err == nil && said == strconv.Itoa(number), "pipeline", said, err)
	}
	connection.Close() // back into the pool
	tell("ready")
	for range []string{"kicked", "drained"} {
		comeBack(pool)
		tell("back")
	}
	pool.Close()
}
