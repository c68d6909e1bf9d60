using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Real servers in real containers: nginx and PostgreSQL of this machine, and nmap in a container of another network that looks for them.</summary>
public sealed class PodmanServersTests
{
    private const string Database = "/usr/lib/postgresql";

    [SystemFact("podman", "runc", "nsenter", "nginx", "psql", "nmap", "curl")]
    public async Task WebServerAndDatabase_AreServedToTheirNetworkAndHiddenFromTheOther()
    {
        await using PodmanBed bed = await PodmanBed.CreateAsync(withUplink: true);
        await bed.AddNetworkAsync("shop", "tap", "10.83.0.0/24", "fd83::/64");
        await bed.AddNetworkAsync("other", "tap", "10.84.0.0/24", "fd84::/64");
        string root = await RootFileSystemAsync(bed), sql = Directory.GetDirectories(Database).Order(StringComparer.Ordinal).Last() + "/bin/";
        string[] here = ["--volume", "/usr:/usr:ro", "--volume", "/etc/alternatives:/etc/alternatives:ro", "--rootfs", root];
        string serve = $"{sql}initdb -D /data/db --no-sync --auth=trust --username=app --encoding=UTF8 --locale=C >/dev/null && echo 'host all all all trust' >>/data/db/pg_hba.conf "
            + $"&& exec {sql}postgres -D /data/db -F -h '*' -k ''";
        await bed.StartAsync("db", ["--network", "shop", "--user", "65534:65534", .. here, "/bin/sh", "-c", serve]);
        await bed.StartAsync("web", ["--network", "shop", "--publish", "8080:80", .. here, "/usr/sbin/nginx", "-c", "/etc/nginx.conf"]);
        string[] web = await bed.Host.AddressesAsync("shop", "web"), db = await bed.Host.AddressesAsync("shop", "db");

        // A third container: the database by name and by IPv6, the web server by name.
        string query = $"{sql}psql -U app -d postgres -qAtX -v ON_ERROR_STOP=1";
        ProgramResult client = await bed.RunAsync(["--network", "shop:ip=10.83.0.99,ip=fd83::63", .. here, "/bin/sh", "-c",
            $"until {query} -h db -c 'create table n as select generate_series(1, 1000000) i' 2>/dev/null; do sleep 0.2; done; {query} -h {db[1]} -c 'select sum(i), inet_client_addr() from n'; curl -4sS http://web/; curl -6sS http://web/; "
            + $"{query} -h db -c 'table n' | cksum"]);
        string[] lines = client.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("500000500000|fd83::63", lines[0]);
        Assert.Equal(["nginx in a container", "nginx in a container"], lines[1..3]);
        ProgramResult expected = (await ChildProgram.RunAsync(bed.Host.Host, ["sh", "-c", "seq 1000000 | cksum"])).MustSucceed();
        Assert.Equal(expected.Output.Trim(), lines[3]);

        // From outside by the published port; the server's log names the clients.
        foreach (string address in (string[])[ContainerHost.Engine, $"[{ContainerHost.Engine6}]"])
            Assert.Equal("nginx in a container\n", (await ChildProgram.RunAsync(bed.Host.Out, ["curl", "-sS", "--max-time", "30", $"http://{address}:8080/"])).MustSucceed().Output);
        string log = await bed.LogAsync("web");
        Assert.All(["10.83.0.99", "fd83::63", ContainerHost.Outside, ContainerHost.Outside6], address => Assert.Contains($"{address} - ", log, StringComparison.Ordinal));

        // From the other network nobody is there: the gateway says that they are out of bounds, and has counted each probe.
        foreach ((string family, string[] targets) in ((string, string[])[])[("-4", [web[0], db[0]]), ("-6", [web[1], db[1]])])
        {
            ProgramResult scan = await bed.RunAsync(["--network", "other", "--cap-add", "NET_RAW", .. here, "/usr/bin/nmap", .. family == "-6" ? ["-6"] : Array.Empty<string>(), "-Pn", "-n", "-sS", "-p", "80,5432", "--max-retries", "1", "--max-rtt-timeout", "300ms", "-oG", "-", .. targets]);
            Assert.All(targets, target => Assert.Contains($"Host: {target} ()\tPorts: 80/filtered/tcp//http///, 5432/filtered/tcp//postgresql///", scan.Output, StringComparison.Ordinal));
        }

        foreach (string name in (string[])["web", "db"])
            (await bed.PodmanAsync("rm", "--force", "--time", "0", name)).MustSucceed();
        ProgramResult ended = await bed.Host.StopServiceAsync();
        Assert.Matches(@"network_isolated +8\n", ended.Output);
    }

    /// <summary>The machine's own programs, read-only, with files of their own.</summary>
    private static async Task<string> RootFileSystemAsync(PodmanBed bed)
    {
        string root = bed.Host.PathOf("rootfs");
        foreach (string folder in (string[])["usr", "etc", "proc", "sys", "dev", "tmp", "run", "www", "data", "var/lib/nginx", "var/log/nginx"])
            Directory.CreateDirectory(Path.Combine(root, folder));
        foreach (string link in (string[])["bin", "sbin", "lib", "lib64"])
            File.CreateSymbolicLink(Path.Combine(root, link), "usr/" + link);
        File.SetUnixFileMode(Path.Combine(root, "data"), (UnixFileMode)511);
        await File.WriteAllTextAsync(Path.Combine(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n");
        await File.WriteAllTextAsync(Path.Combine(root, "etc/group"), "root:x:0:\nnogroup:x:65534:\n");
        await File.WriteAllTextAsync(Path.Combine(root, "www/index.html"), "nginx in a container\n");
        await File.WriteAllTextAsync(Path.Combine(root, "etc/nginx.conf"), """
            daemon off; user root; pid /run/nginx.pid; error_log stderr;
            events { }
            http { access_log /dev/stdout; server { listen 80; listen [::]:80; root /www; } }
            """);
        return root;
    }
}
