using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>A compose file on a host of its own, brought up, changed and taken down by the program.</summary>
internal sealed class ComposeBed : IAsyncDisposable
{
    public const string Project = "dpchange";

    private ComposeBed(ContainerHost host) => Host = host;

    public ContainerHost Host { get; }

    public static async Task<ComposeBed> CreateAsync() => new(await ContainerHost.CreateAsync(withUplink: false));

    /// <summary>A web server of the machine's own, with all its files in the test's folder.</summary>
    public static async Task<string> NginxAsync(ContainerHost host)
    {
        Directory.CreateDirectory(host.PathOf("www"));
        await File.WriteAllTextAsync(host.PathOf("www/index.html"), "from nginx\n");
        string path = host.PathOf("nginx.conf");
        string own = string.Concat(((string[])["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]).Select(kind => $"{kind}_temp_path {host.PathOf("tmp-" + kind)}; "));
        await File.WriteAllTextAsync(path, $$"""
            user root; daemon off; pid {{host.PathOf("nginx.pid")}}; error_log stderr; events {}
            http { {{own}} access_log /dev/stdout; server { listen 80; listen [::]:80; root {{host.PathOf("www")}}; } }
            """);
        return $"exec nginx -c {path}";
    }

    /// <summary>Writes the file and brings it up.</summary>
    public async Task<ProgramResult> UpAsync(string yaml, params string[] more)
    {
        await File.WriteAllTextAsync(Host.PathOf("compose.yaml"), yaml);
        return await CallAsync("up", ["--socket", Host.ControlSocket, .. more]);
    }

    public Task<ProgramResult> CallAsync(string verb, params string[] more) => ChildProgram.RunAsync(
        Host.Host, [.. ContainerHost.OwnMounts, .. Programs.Dataplane, verb, Host.PathOf("compose.yaml"), "--project", Project, "--projects", Host.PathOf("projects"), .. more]);

    /// <summary>The process of each replica.</summary>
    public async Task<Dictionary<string, int>> ProcessesAsync() => (await ReplicasAsync()).ToDictionary(replica => replica.GetProperty("name").GetString()!, replica => replica.GetProperty("processId").GetInt32());

    /// <summary>The address of a replica at its first interface.</summary>
    public async Task<string> AddressAsync(string name) => (await ReplicasAsync()).First(replica => replica.GetProperty("name").GetString() == name)
        .GetProperty("attachments")[0].GetProperty("addresses")[0].GetString()!;

    /// <summary>Asks a web server from the host until it answers.</summary>
    public Task UntilAnswersAsync(string url, string answer) => ChildProgram.RunUntilAsync(Host.Host, text => text.Contains(answer, StringComparison.Ordinal), "curl", "-s", "--http0.9", "--max-time", "5", url);

    public async ValueTask DisposeAsync()
    {
        await CallAsync("down");
        await Host.DisposeAsync();
    }

    private async Task<JsonElement[]> ReplicasAsync() =>
        [.. JsonDocument.Parse(await File.ReadAllTextAsync(Host.PathOf($"projects/{Project}/project.json"))).RootElement.GetProperty("replicas").EnumerateArray()];
}
