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
        string web = await NginxAsync();
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
        string web = await NginxAsync();
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

    private Task<ProgramResult> ComposeAsync(string verb, string file, params string[] more) => ChildProgram.RunAsync(
        _host.Host, [.. ContainerHost.OwnMounts, .. Programs.Dataplane, verb, _host.PathOf(file), "--project", "dpcompose", "--projects", _host.PathOf("projects"), .. Socket(verb), .. more]);

    private string[] Socket(string verb) => verb == "up" ? ["--socket", _host.ControlSocket] : [];

    /// <summary>A web server of the machine's own, with all its files in the test's folder.</summary>
    private async Task<string> NginxAsync()
    {
        Directory.CreateDirectory(_host.PathOf("www"));
        await File.WriteAllTextAsync(_host.PathOf("www/index.html"), "from nginx\n");
        string path = _host.PathOf("nginx.conf");
        string own = string.Concat(((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(kind => $"{kind}_temp_path {_host.PathOf("tmp-" + kind)}; "));
        await File.WriteAllTextAsync(path, $$"""
            user root; daemon off; pid {{_host.PathOf("nginx.pid")}}; error_log stderr; events {}
            http { {{own}} access_log /dev/stdout; server { listen 80; listen [::]:80; root {{_host.PathOf("www")}}; } }
            """);
        return $"exec nginx -c {path}";
    }

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
