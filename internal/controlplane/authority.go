package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// validity is how long certificates last: longer than any sandbox runs.
const validity = 30 * 24 * time.Hour

// keyPair is a certificate and its key, in PEM.
type keyPair struct{ cert, key []byte }

// authority is a control plane's only certificate authority: it signs the certificates of
// the API server, the kubelets and every user.
type authority struct {
	keyPair
	x509 *x509.Certificate
	priv *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("creating the control plane's certificate authority: %w", err)
	}
	a := &authority{priv: priv}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "turnout-sandbox"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a.x509 = template
	if a.keyPair, err = a.sign(template, priv); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(a.cert)
	if a.x509, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("reading back the control plane's authority: %w", err)
	}
	return a, nil
}

// serving returns a certificate for a server at hosts, which are names or addresses.
func (a *authority) serving(hosts ...string) (keyPair, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: hosts[0]},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return a.issue(template)
}

// client returns a certificate that identifies this user and these groups.
func (a *authority) client(user string, groups []string) (keyPair, error) {
	return a.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *authority) issue(template *x509.Certificate) (keyPair, error) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("creating a key for %s: %w", template.Subject.CommonName, err)
	}
	return a.sign(template, priv)
}

// sign adds what all certificates share, and signs.
func (a *authority) sign(template *x509.Certificate, priv *ecdsa.PrivateKey) (keyPair, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return keyPair{}, fmt.Errorf("drawing a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	der, err := x509.CreateCertificate(rand.Reader, template, a.x509, &priv.PublicKey, a.priv)
	if err != nil {
		return keyPair{}, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	key, err := x509.MarshalECPrivateKey(priv)
	if err != nil {
		return keyPair{}, fmt.Errorf("encoding the key of %s: %w", template.Subject.CommonName, err)
	}
	return keyPair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}),
	}, nil
}

// write stores the pair as path.crt and path.key.
func (p keyPair) write(path string) error {
	if err := os.WriteFile(path+".crt", p.cert, 0o600); err != nil {
		return fmt.Errorf("storing a certificate: %w", err)
	}
	if err := os.WriteFile(path+".key", p.key, 0o600); err != nil {
		return fmt.Errorf("storing a key: %w", err)
	}
	return nil
}

func (p keyPair) tls() (tls.Certificate, error) {
	return tls.X509KeyPair(p.cert, p.key)
}
