// Java, with nothing but the JDK, in lines of text. SECURE_CLIENT_TOKEN=… java examples/Hello.java
import java.io.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.*;

class Hello {
    public static void main(String[] arguments) throws Exception {
        var environment = System.getenv();
        var trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null);
        try (var ca = Files.newInputStream(Path.of(environment.getOrDefault("SECURE_CA", "certs/ca.pem")))) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(ca));
        }
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        var context = SSLContext.getInstance("TLSv1.3");
        context.init(null, trust.getTrustManagers(), null);
        var host = environment.getOrDefault("SECURE_HOST", "localhost");
        var port = Integer.parseInt(environment.getOrDefault("SECURE_PORT", "5000"));
        try (var socket = (SSLSocket) context.getSocketFactory().createSocket(host, port)) {
            var checked = socket.getSSLParameters();
            checked.setEndpointIdentificationAlgorithm("HTTPS"); // the certificate must be that host's
            socket.setSSLParameters(checked);
            var sent = new PrintWriter(socket.getOutputStream(), true);
            var answers = new BufferedReader(new InputStreamReader(socket.getInputStream()));
            sent.println("AUTH " + environment.get("SECURE_CLIENT_TOKEN"));
            if (!answers.readLine().equals("OK")) throw new IOException("the token was refused");
            for (var line : new String[] {"ECHO hello from Java", "WHOAMI", "EXIT"}) {
                sent.println(line);
                System.out.println(answers.readLine());
            }
        }
    }
}
