package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A key of our own, the same each time.
type noteKey struct {
	name    string
	public  []byte // with the algorithm before it
	private ed25519.PrivateKey
}

func newKey(name string) noteKey {
	seed := sha256.Sum256([]byte("oracle " + name))
	private := ed25519.NewKeyFromSeed(seed[:])
	return noteKey{name, append([]byte{1}, private.Public().(ed25519.PublicKey)...), private}
}

func keyHash(name string, public []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), public...))
	return binary.BigEndian.Uint32(sum[:])
}

func verifierKey(name string, public []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyHash(name, public), b64(public))
}

func b64(bytes []byte) string { return base64.StdEncoding.EncodeToString(bytes) }

func (k noteKey) verifier() string { return verifierKey(k.name, k.public) }

// A signature line by hand, so that any part can be wrong.
func (k noteKey) lineOf(signature []byte) string {
	hash := binary.BigEndian.AppendUint32(nil, keyHash(k.name, k.public))
	return "\u2014 " + k.name + " " + b64(append(hash, signature...)) + "\n"
}

func (k noteKey) sign(text string) string { return k.lineOf(ed25519.Sign(k.private, []byte(text))) }

func verifiers(o output) {
	one := func(text string) {
		v, err := note.NewVerifier(text)
		if err != nil {
			o.line("verifier", text, "bad", "", "")
			return
		}
		o.line("verifier", text, "ok", v.Name(), fmt.Sprintf("%08x", v.KeyHash()))
	}
	k := newKey("example.com/sumdb")
	good := k.verifier()
	hash := fmt.Sprintf("%08x", keyHash(k.name, k.public))
	key := b64(k.public)
	for _, text := range []string{
		good, "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8", "", "+", "++", "+++", k.name, k.name + "+" + hash,
		k.name + "+" + hash + "+", "+" + hash + "+" + key, " " + good, good + " ", good + "\n", good + "\r\n", good + "=", good + "A",
		good + "+", good + "+x", strings.ToUpper(hash) + good, k.name + "+" + strings.ToUpper(hash) + "+" + key, k.name + "+0x" + hash[2:] + "+" + key,
		k.name + "+" + hash[1:] + "+" + key, k.name + "+0" + hash + "+" + key, k.name + "+" + hash[:7] + "g+" + key, k.name + "++" + key,
		k.name + "+00000000+" + key, k.name + "+" + hash + "+" + key[:len(key)-1], k.name + "+" + hash + "+" + key[:len(key)-4],
		k.name + "+" + hash + "+" + key[:20] + "\n" + key[20:], k.name + "+" + hash + "+" + key[:20] + " " + key[20:],
		k.name + "+" + hash + "+" + key[:20] + "-" + key[21:], k.name + "x+" + hash + "+" + key, k.name + "+-" + hash[1:] + "+" + key,
		k.name + "+" + hash + "+" + key[:20] + "=" + key[20:], k.name + "+_" + hash[1:] + "+" + key,
	} {
		one(text)
	}
	for _, name := range []string{"", "a b", "a\tb", "a\u00a0b", "a\u1680b", "a\u2003b", "a\u200bb", "a\u3000b", "a\u0085b", "a\u2028b", "a\xffb",
		"\u00e9", "a\x00b", "a/b/", "PeterNeumann", "\u4e2d", "a\u205fb", "a\u202fb", "a\u180eb", "a\ufeffb", "a\x1fb", "a\xed\xa0\x80"} {
		one(verifierKey(name, k.public))
	}
	for _, public := range [][]byte{{}, {1}, k.public[:32], append(slices.Clone(k.public), 0), append([]byte{0}, k.public[1:]...),
		append([]byte{2}, k.public[1:]...), append([]byte{1}, make([]byte, 32)...)} {
		one(verifierKey(k.name, public))
	}
}

func signatures(list []note.Signature) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s+%08x %s\n", s.Name, s.Hash, s.Base64)
	}
	return b.String()
}

func opens(o output) {
	one := func(message string, keys ...string) {
		var list []note.Verifier
		for _, key := range keys {
			v, err := note.NewVerifier(key)
			must(err)
			list = append(list, v)
		}
		n, err := note.Open([]byte(message), note.VerifierList(list...))
		if err != nil {
			n = &note.Note{}
		}
		o.line("open", message, strings.Join(keys, " "), verdict(err), n.Text, signatures(n.Sigs), signatures(n.UnverifiedSigs))
	}
	a, b, stranger := newKey("example.com/sumdb"), newKey("b.example"), newKey("stranger")
	text := "go.sum database tree\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	v, w := a.verifier(), b.verifier()
	good := text + "\n" + a.sign(text)
	one(good, v)
	one(good, v, w)
	one(good, w, v)
	one(good)
	one(good, w)
	one(good, v, v) // ambiguous
	one(text+"\n"+a.sign(text)+b.sign(text), v)
	one(text+"\n"+a.sign(text)+b.sign(text), w, w, v)
	one(text+"\n"+b.sign(text)+a.sign(text), v, w)
	one(text+"\n"+a.sign(text)+b.sign(text)+stranger.sign(text), w, v)
	one(text+"\n"+stranger.sign("another text")+a.sign(text), v)
	one(text+"\n"+a.sign("another text"), v)
	one(text+"\n"+a.sign("another text")+b.sign(text), v, w) // known and wrong: all is wrong
	one(text+"\n"+b.sign(text)+a.sign("another text"), v, w)
	one(text+"\n"+a.sign("another text")+b.sign(text), w)
	// Repeated: the same, and others by the same key.
	one(text+"\n"+a.sign(text)+a.sign(text), v)
	one(text+"\n"+a.sign(text)+a.sign("another text"), v)
	one(text+"\n"+a.sign("another text")+a.sign(text), v)
	one(text+"\n"+b.sign(text)+a.sign(text)+b.sign(text)+b.sign("another text"), v)
	// Signatures that are nearly right.
	signature := ed25519.Sign(a.private, []byte(text))
	for i := range signature {
		flipped := slices.Clone(signature)
		flipped[i] ^= 1 << (i % 8)
		one(text+"\n"+a.lineOf(flipped), v)
	}
	for _, n := range []int{0, 1, 4, 32, 63} {
		one(text+"\n"+a.lineOf(signature[:n]), v)
		one(text+"\n"+a.lineOf(signature[:n])+b.sign(text), w)
	}
	one(text+"\n"+a.lineOf(append(slices.Clone(signature), 0)), v)
	one(text+"\n"+a.lineOf(make([]byte, 64)), v)
	one(text+"\n"+a.lineOf(malleable(signature)), v)
	sign := strings.TrimSuffix(a.sign(text), "\n")
	for _, line := range []string{
		sign, sign + "\n\n", sign + "\n ", sign + " \n", sign + "\r\n", sign + "\nx\n", "x\n" + sign + "\n", sign[1:] + "\n", "-" + sign[3:] + "\n",
		"\u2013" + sign[3:] + "\n", " " + sign + "\n", sign[:3] + sign[4:] + "\n", strings.Replace(sign, " ", "  ", 1) + "\n",
		sign + "=\n", sign[:len(sign)-1] + "\n", sign[:len(sign)-2] + "\n", sign[:len(sign)-3] + "\n", sign + "AAAA\n", "\u2014 \n", "\u2014\n",
		"\u2014 " + a.name + "\n", "\u2014 " + a.name + " \n", "\u2014 " + a.name + " AAAA\n", "\u2014 " + a.name + " AAAAAA==\n",
		"\u2014 " + a.name + " AAAAAAA=\n", "\u2014  AAAAAAA=\n", "\u2014 a+b AAAAAAA=\n" + sign + "\n", "\u2014 a\u00a0b AAAAAAA=\n" + sign + "\n",
		"\u2014 ab AAAAAAA=\n" + sign + "\n", "\u2014 ab AAAAAAB=\n" + sign + "\n", "\u2014 ab AA_AAAA=\n" + sign + "\n", sign + "\n\u2014 ab AAAA\n",
		"\u2014 a\tb AAAAAAA=\n" + sign + "\n", "\u2014 a\x7fb AAAAAAA=\n" + sign + "\n", "\u2014 a\u0080b AAAAAAA=\n" + sign + "\n",
		"", "\n", "\n" + sign + "\n", sign + "\n" + text + "\n" + sign + "\n",
	} {
		one(text+"\n"+line, v)
	}
	// Texts.
	for _, t := range []string{"", "\n", "x\n", "x", "\n\n", "a\n\nb\n", "\na\n", "a\n\n", "\u4e2d\n", "\xff\n", "\xed\xa0\x80\n", "\xc0\x80\n", "a\rb\n", "a\tb\n",
		"a\x00b\n", "\x1f\n", "\x7f\n", "\u0080\n", "\ufffd\n", "\U0010ffff\n", "\xf4\x90\x80\x80\n", "\ufeffx\n", "\xe4\xb8\n", "a\u2028b\n"} {
		one(t+"\n"+a.sign(t), v)
	}
	one("", v)
	one("\n", v)
	one("\n\n", v)
	one(text, v)
	one(text+a.sign(text), v)
	one(strings.ReplaceAll(good, "\n", "\r\n"), v)
	// At most 100 lines, whatever they are.
	for _, n := range []int{99, 100} {
		one(text+"\n"+strings.Repeat("\u2014 ab AAAAAAA=\n", n)+a.sign(text), v)
		one(text+"\n"+a.sign(text)+strings.Repeat("\u2014 ab AAAAAAA=\n", n), v)
	}
	var many strings.Builder
	for i := range 99 {
		fmt.Fprintf(&many, "\u2014 ab %s\n", b64([]byte{0, 0, 0, 0, byte(i)}))
	}
	one(text+"\n"+many.String()+a.sign(text), v)
	// A note that says it is signed by a key that is no point of the curve.
	none := a
	none.public = append([]byte{1, 2}, make([]byte, 31)...)
	one(text+"\n"+none.lineOf(signature), none.verifier())
	// The small subgroup: a key for which some signature fits any text.
	none.public = append([]byte{1, 1}, make([]byte, 31)...)
	one(text+"\n"+none.lineOf(append([]byte{1}, make([]byte, 63)...)), none.verifier())
	// The databases that there are: from the package's own documentation.
	one("If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"+
		"\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"+
		"\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n",
		"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
}

// The same signature with the order of the group added to S: RFC 8032, 5.1.7 refuses it.
func malleable(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(signature[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return append(slices.Clone(signature[:32]), sum...)
}

func notes(o output) {
	verifiers(o)
	opens(o)
}
