using System.Text.Json.Nodes;
using Dataplane.Gateway.Cni;
using Dataplane.Gateway.Networks;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>Endpoints attached by memif, as far as no engine is needed: where the socket is, who may reach it, what is refused, and what runtimes are told.</summary>
public sealed class MemifAttachTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode ForAll = OwnerOnly | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly string _root = Directory.CreateTempSubdirectory("dpmemif-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Compose_Endpoint_ThePortListensAtItsSocketForEverybodyWhoHasIt()
    {
        EndpointRecord endpoint = Endpoint() with { Socket = "/run/x/ep-1/memif.sock" };
        NetworkRecord network = Network() with { Mtu = 9000 };
        PortSpec port = new SpecComposer(new ServeOptions { HostInterface = "" }).Compose([new NetworkView(network, [endpoint])], []).Ports.Single();
        Assert.Equal((PortKind.Memif, "/run/x/ep-1/memif.sock", PortRole.Server, 9000), (port.Kind, port.Socket, port.Role, port.Mtu));
        Assert.Equal((MemifSockets.SocketMode, 9000), port.Factory is MemifPortFactory factory ? (factory.SocketMode, factory.Mtu) : default);
    }

    [Fact]
    public void Make_AndRemove_TheOuterDirectoryIsTheServicesAloneAndNothingIsLeft()
    {
        string around = Path.Combine(_root, "sockets");
        var sockets = new MemifSockets(around);
        string path = sockets.PathOf("one");
        Assert.Equal(Path.Combine(around, "one", "memif.sock"), path);
        sockets.Make(path);
        sockets.Make(path);
        Assert.Equal((OwnerOnly, ForAll), (File.GetUnixFileMode(around), File.GetUnixFileMode(Path.GetDirectoryName(path)!)));

        // Whatever a container has left there goes, but not what it points to.
        string other = Path.Combine(_root, "other");
        File.WriteAllText(other, "");
        File.CreateSymbolicLink(Path.Combine(around, "one", "link"), other);
        sockets.Remove(path);
        sockets.Remove(path);
        Assert.Empty(Directory.GetFileSystemEntries(around));
        Assert.True(File.Exists(other));

        // A path that is not one of its own is nothing it removes.
        Directory.CreateDirectory(Path.Combine(_root, "two"));
        sockets.Remove(Path.Combine(_root, "two", "memif.sock"));
        Assert.True(Directory.Exists(Path.Combine(_root, "two")));
    }

    [Theory]
    [InlineData("memif", "", "", null)]
    [InlineData("memif", "/ns", "app-1", null)]
    [InlineData("tap", "", "", "namespace is missing")]
    [InlineData("tap", "/ns", "app-1", "belongs to memif")]
    [InlineData("memif", "", "../etc", "cannot name the directory")]
    [InlineData("memif", "", ".x", "cannot name the directory")]
    [InlineData("memif", "", "a/b", "cannot name the directory")]
    [InlineData("memif", "", "a-name-of-more-than-thirty-two-letters", "cannot name the directory")]
    public void CheckAttachment_KindNamespaceAndName_SaysWhatIsWrong(string kind, string at, string socket, string? expected)
    {
        Exception? refused = Record.Exception(() => NetworkRequests.CheckAttachment(Network(), Endpoint() with { Attach = kind, Namespace = at, Socket = socket }));
        Assert.Equal(expected is null, refused is null);
        Assert.Contains(expected ?? "", refused?.Message ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/run/dataplane/memif", true)]
    [InlineData("/run/data plane", false)]
    [InlineData("/run/a-directory-of-so-many-letters-that-no-socket-below-it-would-have-a-path-that-fits", false)]
    public void ProblemOf_Directory_WhereNoSocketCouldBe(string directory, bool isRight)
    {
        Assert.Equal(isRight, MemifSockets.ProblemOf(directory) is null);
        Assert.True(!isRight || new MemifSockets(directory).PathOf(new string('n', MemifSockets.MaxNameLength)).Length <= 107);
    }

    [Theory]
    [InlineData("1.1.0", "/run/x/ep-1/memif.sock")]
    [InlineData("1.0.0", null)]
    public void Cni_Result_TellsTheSocketWhereTheVersionHasAKeyForIt(string version, string? expected)
    {
        var configuration = CniConfiguration.Parse($$"""{ "cniVersion": "{{version}}", "name": "web", "attach": "memif" }""");
        JsonObject result = CniResult.OfAttachment(configuration, new AttachReply(Endpoint() with { Socket = "/run/x/ep-1/memif.sock" }, Network()));
        JsonNode own = result["interfaces"]!.AsArray().Single()!;
        Assert.Equal(("/ns", expected), (own["sandbox"]!.GetValue<string>(), own["socketPath"]?.GetValue<string>()));
        Assert.Equal("10.1.0.2/24", result["ips"]!.AsArray().Single()!["address"]!.GetValue<string>());
    }

    private static NetworkRecord Network() => new("web") { Subnets = [new SubnetRecord("10.1.0.0/24") { Gateway = "10.1.0.1" }] };

    private static EndpointRecord Endpoint() =>
        new("a", "eth0") { Namespace = "/ns", Attach = "memif", Mac = Dataplane.Networks.EndpointMac.Choose("n", "a").ToString(), Addresses = ["10.1.0.2"] };
}
