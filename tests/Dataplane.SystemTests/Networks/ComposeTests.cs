using System.Text.RegularExpressions;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Compose files come up by one command, do what they say, and go by another.</summary>
public sealed partial class ComposeTests : IAsyncLifetime
{
    private ContainerHost _host = null!;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_host is null)
            return;
        foreach (string file in Directory.GetFiles(_host.PathOf("."), "*.yaml"))
            await ComposeAsync("down", Path.GetFileName(file));
        await _host.DisposeAsync();
    }

    [SystemFact("nginx", "curl", "nsenter", "unshare", "setsid")]
    public async Task Up_TheUsualFile_WebIsOnPort80OfTheHostAndReachedFromDbByName()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await File.WriteAllTextAsync(_host.PathOf("compose.yaml"), """
            version: '3'
            services:
              web:
                image: nginx
                ports:
                  - "80:80"
                networks:
                  - my-network
              db:
                image: mysql
                networks:
                  - my-network
            networks:
              my-network:
                driver: bridge
            """);
        string web = await ComposeBed.NginxAsync(_host);
        const string Database = "until curl -s --max-time 20 http://web/; do sleep 0.1; done; exec sleep 1000";
        (await ComposeAsync("up", "compose.yaml", "--image-command", $"nginx={web}", "--image-command", $"mysql={Database}")).MustSucceed();
        await ExpectLogAsync("db", "from nginx");
        Assert.Equal("from nginx\n", (await ChildProgram.RunAsync(_host.Host, ["curl", "-s", "--max-time", "30", $"http://{ContainerHost.HostAddress}/"])).MustSucceed().Output);

        // The server has written down who called: the container, and the host by the address it called.
        string log = (await ComposeAsync("logs", "compose.yaml")).MustSucceed().Output;
        Assert.Matches(@"172\.\d+\.0\.3 - ", log);
        Assert.Contains($"{ContainerHost.HostAddress} - ", log, StringComparison.Ordinal);
        Assert.Equal(2, Running().Count((await ComposeAsync("ps", "compose.yaml")).MustSucceed().Output));
        (await ComposeAsync("down", "compose.yaml")).MustSucceed();
        Assert.DoesNotContain("dpcompose", (await ChildProgram.RunAsync(_host.Host, ["ip", "netns", "list"])).Output, StringComparison.Ordinal);
        await _host.StopServiceAsync();
    }

    [SystemFact("nginx", "curl", "nsenter", "unshare", "setsid")]
    public async Task Up_TwoNetworksOneInternal_AreKeptApartButForTheServiceOnBoth()
    {
        _host = await ContainerHost.CreateAsync(withUplink: true);
        await File.WriteAllTextAsync(_host.PathOf("two.yaml"), """
            services:
              proxy:
                image: nginx
                ports: [ "8000-8001:80-81" ]
                networks: { front: { ipv4_address: 10.84.0.9, aliases: [ www ] }, back: }
              app:
                image: app
                networks: [ back ]
              visitor:
                image: app
                networks: [ front ]
            networks:
              front: { ipam: { config: [ { subnet: 10.84.0.0/24 } ] } }
              back: { internal: true, ipam: { config: [ { subnet: 10.85.0.0/24 }, { subnet: "fd85::/64" } ] } }
            """);
        string web = await ComposeBed.NginxAsync(_host);
        (await ComposeAsync("up", "two.yaml", "--image-command", $"nginx={web}",
            "--image-command", "app=until curl -s --max-time 20 http://proxy/; do sleep 0.1; done; exec sleep 1000")).MustSucceed();
        await ExpectLogAsync("app", "from nginx", "two.yaml");
        await ExpectLogAsync("visitor", "from nginx", "two.yaml");
        Assert.Equal("from nginx\n", (await ChildProgram.RunAsync(_host.Out, ["curl", "-s", "--max-time", "30", $"http://{ContainerHost.Engine}:8000/"])).MustSucceed().Output);
        Assert.Contains($"{ContainerHost.Outside} - ", (await ComposeAsync("logs", "two.yaml")).MustSucceed().Output, StringComparison.Ordinal);
        (await _host.CallAsync("test", "dpcompose_back", "--throughput", "0")).MustSucceed();
        (await _host.CallAsync("test", "dpcompose_front", "--throughput", "0")).MustSucceed();

        // From the internal network there is no way out, whoever asks.
        ProgramResult away = await ChildProgram.RunAsync("dpcompose-app-1", ["ping", "-c", "1", "-W", "1", ContainerHost.Outside]);
        Assert.NotEqual(0, away.ExitCode);
        (await ComposeAsync("down", "two.yaml")).MustSucceed();
        await _host.StopServiceAsync();
    }

    [SystemFact("nginx", "curl", "getent", "nsenter", "unshare", "setsid")]
    public async Task Up_AliasesAndFixedAddresses_AreWhatTheOthersFind()
    {
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await File.WriteAllTextAsync(_host.PathOf("names.yaml"), """
            services:
              db:
                image: nginx
                networks:
                  inner:
                    ipv4_address: 10.86.0.77
                    ipv6_address: "fd86::77"
                    aliases: [ database, store ]
              client:
                image: app
                networks: [ inner ]
            networks:
              inner:
                internal: true
                enable_ipv6: true
                ipam: { config: [ { subnet: 10.86.0.0/24, gateway: 10.86.0.254 }, { subnet: "fd86::/64" } ] }
            """);
        const string Client = "until curl -s -4 --max-time 20 http://database/ && curl -s -6 --max-time 20 http://store/; do sleep 0.1; done; getent ahosts database; exec sleep 1000";
        (await ComposeAsync("up", "names.yaml", "--image-command", $"nginx={await ComposeBed.NginxAsync(_host)}", "--image-command", $"app={Client}")).MustSucceed();
        await ExpectLogAsync("client", "fd86::77", "names.yaml");
        string log = (await ComposeAsync("logs", "names.yaml", "--service", "client")).MustSucceed().Output;
        Assert.Contains("10.86.0.77", log, StringComparison.Ordinal);
        Assert.Contains("from nginx", log, StringComparison.Ordinal);

        // The other container got an address that nobody has named.
        Assert.DoesNotContain("10.86.0.77 - ", (await ComposeAsync("logs", "names.yaml", "--service", "db")).MustSucceed().Output, StringComparison.Ordinal);
        (await ComposeAsync("down", "names.yaml")).MustSucceed();
        await _host.StopServiceAsync();
    }

    [SystemFact("socat", "nsenter", "unshare", "setsid")]
    public async Task Up_PortRangesWithUdp_LeadEachToItsOwn()
    {
        _host = await ContainerHost.CreateAsync(withUplink: true);
        await File.WriteAllTextAsync(_host.PathOf("ranges.yaml"), """
            services:
              echo:
                image: app
                ports:
                  - "5000-5002:6000-6002/udp"
                  - target: 7000
                    published: "7001"
                    protocol: tcp
                networks: [ net ]
            networks:
              net: { ipam: { config: [ { subnet: 10.87.0.0/24 } ] } }
            """);
        const string Server = "for port in 6000 6001 6002; do socat UDP-RECVFROM:$port,fork SYSTEM:\"echo port $port for \\$SOCAT_PEERADDR\" & done; "
            + "exec socat TCP-LISTEN:7000,fork,reuseaddr SYSTEM:\"echo tcp for \\$SOCAT_PEERADDR\"";
        (await ComposeAsync("up", "ranges.yaml", "--image-command", $"app={Server}")).MustSucceed();
        foreach (int port in new[] { 5000, 5001, 5002 })
        {
            Assert.Equal($"port {port + 1000} for {ContainerHost.Outside}\n", await AskAsync($"UDP:{ContainerHost.Engine}:{port}"));
        }

        Assert.Equal($"tcp for {ContainerHost.Outside}\n", await AskAsync($"TCP:{ContainerHost.Engine}:7001"));
        string open = (await _host.CallAsync("network", "ls")).MustSucceed().Output;
        Assert.Contains($"udp {ContainerHost.Engine}:5002 -> 10.87.0.2:6002", open, StringComparison.Ordinal);
        (await ComposeAsync("down", "ranges.yaml")).MustSucceed();
        await _host.StopServiceAsync();
    }

    /// <summary>What a server says to a word from outside; until it has started it says nothing.</summary>
    private async Task<string> AskAsync(string server)
    {
        long end = Environment.TickCount64 + (long)ChildProgram.Patience.TotalMilliseconds;
        while (true)
        {
            string answer = (await ChildProgram.RunAsync(_host.Out, ["socat", "-t", "1", "-T", "2", "-", server], "word\n")).Output;
            if (answer.Length > 0)
                return answer;
            Assert.True(Environment.TickCount64 < end, $"{server} says nothing");
        }
    }

    private Task<ProgramResult> ComposeAsync(string verb, string file, params string[] more) => ChildProgram.RunAsync(
        _host.Host, [.. ContainerHost.OwnMounts, .. Programs.Dataplane, verb, _host.PathOf(file), "--project", "dpcompose", "--projects", _host.PathOf("projects"), .. Socket(verb), .. more]);

    private string[] Socket(string verb) => verb == "up" ? ["--socket", _host.ControlSocket] : [];

    private async Task ExpectLogAsync(string service, string text, string file = "compose.yaml")
    {
        long end = Environment.TickCount64 + (long)ChildProgram.Patience.TotalMilliseconds;
        while (true)
        {
            string log = (await ComposeAsync("logs", file, "--service", service)).MustSucceed().Output;
            if (log.Contains(text, StringComparison.Ordinal))
                return;
            Assert.True(Environment.TickCount64 < end, $"waited in vain for \"{text}\" of {service}: {log}");
        }
    }

    [GeneratedRegex(@"^dpcompose-\S+ +running", RegexOptions.Multiline)]
    private static partial Regex Running();
}
