using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>A compose file that is up and has changed: what has not changed goes on, by its processes and its traffic.</summary>
public sealed class ComposeChangeTests : IAsyncLifetime
{
    private const string Server = "app=exec socat TCP-LISTEN:8080,fork,reuseaddr SYSTEM:hostname";

    private const string Shop = """
        services:
          web:
            image: app
            ports: [ "8000:8080" ]
            networks: [ front ]
          db:
            image: app
            environment: { SIZE: small }
            networks: [ front ]
          old:
            image: app
            networks: [ front ]
        networks:
          front: { ipam: { config: [ { subnet: 10.88.0.0/24 } ] } }
        """;

    private ComposeBed _bed = null!;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_bed is not null)
            await _bed.DisposeAsync();
    }

    [SystemFact("nginx", "curl", "nsenter", "unshare", "setsid")]
    public async Task Up_MoreAndFewerReplicas_NoRequestToTheOneThatStaysFails()
    {
        _bed = await ComposeBed.CreateAsync();
        const string Text = "services: { web: { image: nginx, deploy: { replicas: 2 }, networks: [ front ] } }\nnetworks: { front: { ipam: { config: [ { subnet: 10.88.0.0/24 } ] } } }";
        (await _bed.UpAsync(Text, "--image-command", $"nginx={await ComposeBed.NginxAsync(_bed.Host)}")).MustSucceed();
        Dictionary<string, int> before = await _bed.ProcessesAsync();
        string address = await _bed.AddressAsync("dpchange-web-1");
        await _bed.UntilAnswersAsync($"http://{address}/", "from nginx");
        await using ChildProgram traffic = ChildProgram.Start(_bed.Host.Host, "sh", "-c",
            $"n=0; while [ ! -e {_bed.Host.PathOf("enough")} ]; do curl -sf --max-time 30 http://{address}/ >/dev/null || echo failed; n=$((n+1)); [ $n = 1 ] && echo begun; done; echo $n requests");
        await traffic.AwaitLineAsync(line => line == "begun");

        // What stands for the image is known from the first time.
        ProgramResult more = (await _bed.UpAsync(Text, "--scale", "web=4")).MustSucceed();
        Assert.Equal(["web-1  Running", "web-2  Running", "web-3  Started", "web-4  Started"], Last(more, 4));
        Dictionary<string, int> four = await _bed.ProcessesAsync();
        Assert.Equal(4, four.Count);
        await _bed.UntilAnswersAsync($"http://{await _bed.AddressAsync("dpchange-web-4")}/", "from nginx");
        ProgramResult fewer = (await _bed.UpAsync(Text.Replace("replicas: 2", "replicas: 1", StringComparison.Ordinal))).MustSucceed();
        Assert.Equal(["web-4  Removed", "web-3  Removed", "web-2  Removed", "web-1  Running"], Last(fewer, 4));
        await File.WriteAllTextAsync(_bed.Host.PathOf("enough"), "");
        ProgramResult ended = (await traffic.EndAsync()).MustSucceed();
        Assert.Equal(["begun"], ended.Lines[..^1]);
        Assert.Equal(before["dpchange-web-1"], Assert.Single(await _bed.ProcessesAsync()).Value);
        Assert.Equal(before["dpchange-web-2"], four["dpchange-web-2"]);
        Assert.DoesNotContain("dpchange-web-2", (await ChildProgram.RunAsync(_bed.Host.Host, ["ip", "netns", "list"])).Output, StringComparison.Ordinal);
        (await _bed.CallAsync("down")).MustSucceed();
        await _bed.Host.StopServiceAsync();
    }

    [SystemFact("socat", "curl", "nsenter", "unshare", "setsid")]
    public async Task Up_OneServiceChanged_OthersGoOnAndPortsMoveLive()
    {
        _bed = await ComposeBed.CreateAsync();
        (await _bed.UpAsync(Shop, "--image-command", Server)).MustSucceed();
        Dictionary<string, int> before = await _bed.ProcessesAsync();
        string address = await _bed.AddressAsync("dpchange-db-1");

        // Twice the same changes nothing, and says so.
        Assert.Equal(["web-1  Running", "db-1  Running", "old-1  Running"], Lines(await _bed.UpAsync(Shop)));
        Assert.Equal(before, await _bed.ProcessesAsync());

        // Another value in the environment: that container alone, with the address it had.
        string changed = Shop.Replace("small", "large", StringComparison.Ordinal);
        Assert.Equal(["web-1  Running", $"db-1  Recreated (environment; {address})", "old-1  Running"], Lines(await _bed.UpAsync(changed)));
        Dictionary<string, int> after = await _bed.ProcessesAsync();
        Assert.Equal((before["dpchange-web-1"], before["dpchange-old-1"], address), (after["dpchange-web-1"], after["dpchange-old-1"], await _bed.AddressAsync("dpchange-db-1")));
        Assert.NotEqual(before["dpchange-db-1"], after["dpchange-db-1"]);
        await _bed.UntilAnswersAsync($"http://{address}:8080/", "dpchange-db-1");

        // Another port of the host: the container knows nothing of it.
        await _bed.UntilAnswersAsync($"http://{ContainerHost.HostAddress}:8000/", "dpchange-web-1");
        string moved = changed.Replace("8000:", "8001:", StringComparison.Ordinal);
        Assert.Contains("web-1  Published (8000:8080/tcp closed, 8001:8080/tcp opened)", Lines(await _bed.UpAsync(moved)));
        Assert.Equal("dpchange-web-1\n", (await AskAsync(8001)).MustSucceed().Output);
        Assert.NotEqual(0, (await AskAsync(8000)).ExitCode);
        Assert.Equal(after, await _bed.ProcessesAsync());
        Assert.Contains("8001:8080/tcp", (await _bed.CallAsync("ps")).MustSucceed().Output, StringComparison.Ordinal);
        (await _bed.CallAsync("down")).MustSucceed();
        await _bed.Host.StopServiceAsync();
    }

    [SystemFact("socat", "curl", "nsenter", "unshare", "setsid")]
    public async Task Up_MistakesAndOrphans_ChangeNothingUntilAskedFor()
    {
        _bed = await ComposeBed.CreateAsync();
        (await _bed.UpAsync(Shop, "--image-command", Server)).MustSucceed();
        Dictionary<string, int> before = await _bed.ProcessesAsync();

        // A mistake is told with its line, and what is up can be looked at all the same.
        ProgramResult broken = await _bed.UpAsync(Shop.Replace("8000:8080", "8000:80800", StringComparison.Ordinal).Replace("small", "large", StringComparison.Ordinal));
        Assert.NotEqual(0, broken.ExitCode);
        Assert.Contains("compose.yaml:4:14: services.web.ports[0]", broken.Error, StringComparison.Ordinal);
        Assert.Contains("dpchange-web-1", (await _bed.CallAsync("ps")).MustSucceed().Output, StringComparison.Ordinal);
        Assert.Equal(before, await _bed.ProcessesAsync());

        // So is a port that somebody else has: the container that was to get it goes on with the one it had.
        await using (ChildProgram other = ChildProgram.Start(_bed.Host.Host, "socat", "-ls", "-d", "-d", "TCP-LISTEN:8002", "-"))
        {
            await other.AwaitLineAsync(line => line.Contains("listening", StringComparison.Ordinal));
            ProgramResult taken = await _bed.UpAsync(Shop.Replace("8000:", "8002:", StringComparison.Ordinal));
            Assert.NotEqual(0, taken.ExitCode);
            Assert.Contains("Nothing was changed.", taken.Error, StringComparison.Ordinal);
        }

        Assert.Equal("dpchange-web-1\n", (await AskAsync(8000)).MustSucceed().Output);
        Assert.Equal(before, await _bed.ProcessesAsync());

        // A service that is not in the file any more is reported and goes on, until its removal is asked for; a trial run does nothing.
        string without = Shop[..Shop.IndexOf("  old:", StringComparison.Ordinal)] + Shop[Shop.IndexOf("networks:\n  front", StringComparison.Ordinal)..];
        ProgramResult left = await _bed.UpAsync(without);
        Assert.Equal(["web-1  Running", "db-1  Running"], Lines(left));
        Assert.Contains("dpchange-old-1. They go on; --remove-orphans removes them.", left.Error, StringComparison.Ordinal);
        Assert.Contains("DRY-RUN Container dpchange-old-1  Removed", (await _bed.UpAsync(without, "--remove-orphans", "--dry-run")).MustSucceed().Output, StringComparison.Ordinal);
        Assert.Equal(before, await _bed.ProcessesAsync());
        Assert.Equal(["old-1  Removed", "web-1  Running", "db-1  Running"], Lines(await _bed.UpAsync(without, "--remove-orphans")));
        Assert.Equal(before.Where(pair => pair.Key != "dpchange-old-1"), await _bed.ProcessesAsync());
        (await _bed.CallAsync("down")).MustSucceed();
        await _bed.Host.StopServiceAsync();
    }

    private Task<ProgramResult> AskAsync(int port) => ChildProgram.RunAsync(_bed.Host.Host, ["curl", "-sS", "--http0.9", "--max-time", "30", $"http://{ContainerHost.HostAddress}:{port}/"]);

    /// <summary>What was done to containers, without what they all have in front.</summary>
    private static string[] Lines(ProgramResult up) => [.. up.MustSucceed().Lines.Where(line => line.StartsWith(' ')).Select(line => line.Replace(" Container dpchange-", "", StringComparison.Ordinal))];

    private static string[] Last(ProgramResult up, int count) => Lines(up)[^count..];
}
