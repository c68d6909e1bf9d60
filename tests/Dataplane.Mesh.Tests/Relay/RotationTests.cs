using System.Net.Sockets;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;
using Dataplane.Mesh.Tests.Support;

namespace Dataplane.Mesh.Tests.Relay;

/// <summary>What changes under open streams: certificates, authorities, policies, endpoints, and the relay itself.</summary>
public sealed class RotationTests
{
    [Fact]
    public async Task Rotate_CertificatesAndAuthorityUnderThousandStreams_NoneBreaks()
    {
        await using var mesh = new MeshPair(Server.Echo());
        Socket[] clients = await Task.WhenAll(Enumerable.Range(0, 1000).Select(_ => mesh.ConnectAsync()));
        await Task.WhenAll(clients.Select(client => EchoAsync(client, 1)));
        for (int round = 2; round <= 4; round++)
        {
            // Every round another certificate; in the third another authority, believed beside the old one before anything comes from it.
            if (round == 3)
            {
                mesh.Domain.Rotate();
                Refresh(mesh);
            }

            mesh.Domain.Reissue(mesh.WebIdentity, MeshPair.WebPath);
            mesh.Domain.Reissue(mesh.ClientIdentity, MeshPair.ClientPath);
            Refresh(mesh);
            await Task.WhenAll(clients.Select(client => EchoAsync(client, (byte)round)));
            using Socket fresh = await mesh.ConnectAsync();
            await EchoAsync(fresh, (byte)round);
        }

        Assert.Equal(5, mesh.Inbound.Identity!.Revision);
        Assert.All(mesh.OutboundRecords, record => Assert.Equal(RelayReason.Completed, record.Reason));
        foreach (Socket client in clients)
            client.Dispose();
    }

    [Fact]
    public async Task Rotate_FilesThatDoNotFit_KeepTheLastGoodOnes()
    {
        await using var mesh = new MeshPair(Server.Echo());
        IdentitySpec other = mesh.Domain.Issue(MeshPair.WebPath);
        File.Copy(other.Key, mesh.WebIdentity.Key, overwrite: true);
        Refresh(mesh);
        IdentityStatus status = mesh.Inbound.Identity!;
        Assert.Equal((1, 1L), (status.Revision, status.Failures));
        Assert.Contains(mesh.WebIdentity.Key, status.Problem, StringComparison.Ordinal);
        using (Socket client = await mesh.ConnectAsync())
            await EchoAsync(client, 7);

        // The other half comes: now they fit, and the next look takes them.
        File.Copy(other.Certificate, mesh.WebIdentity.Certificate, overwrite: true);
        Refresh(mesh);
        status = mesh.Inbound.Identity!;
        Assert.Equal((2, ""), (status.Revision, status.Problem));
    }

    [Fact]
    public async Task Update_PolicyThatRefuses_EndsThoseAndOnlyThose()
    {
        await using var mesh = new MeshPair(Server.Echo());
        using Socket client = await mesh.ConnectAsync();
        await EchoAsync(client, 1);
        await mesh.Inbound.UpdateAsync(MeshPair.With(mesh.Inbound.Spec, new PolicySpec { Name = "others", Action = PolicyAction.Deny, Namespaces = ["bank"] }));
        await EchoAsync(client, 2);
        await mesh.Inbound.UpdateAsync(MeshPair.With(mesh.Inbound.Spec, new PolicySpec { Name = "these", Action = PolicyAction.Deny, Namespaces = ["shop"] }));
        await client.AssertResetAsync();
        AccessRecord record = await MeshPair.FirstAsync(mesh.InboundRecords);
        Assert.Equal((RelayReason.DeniedLater, "these"), (record.Reason, record.Policy));
    }

    [Fact]
    public async Task Update_OtherEndpoint_NewStreamsGoThereAndOldOnesStay()
    {
        await using var mesh = new MeshPair(Server.Echo());
        await using var second = new Server(async socket => await socket.SendAllAsync("second"u8.ToArray()));
        using Socket client = await mesh.ConnectAsync();
        await EchoAsync(client, 1);
        ListenerSpec listener = mesh.Inbound.Spec.Listeners[0];
        await mesh.Inbound.UpdateAsync(mesh.Inbound.Spec with
        {
            Listeners = [listener with { Listen = mesh.Inbound.Spec.Listeners[0].Listen, Routes = [MeshPair.To(second.Address, UpstreamKind.Plain)] }],
        });
        using Socket fresh = await mesh.ConnectAsync();
        Assert.Equal("second"u8.ToArray(), await fresh.ReceiveAllAsync());
        await EchoAsync(client, 2);
    }

    [Fact]
    public async Task Stop_StreamsThatStand_EndInOrderBeforeTheDeadline()
    {
        await using var mesh = new MeshPair(Server.Echo());
        using Socket client = await mesh.ConnectAsync();
        await EchoAsync(client, 1);
        Task stopping = mesh.Outbound.StopAsync();
        await EchoAsync(client, 2);
        await Patience.UntilAsync(() => IsRefused(mesh), "the listener is closed");
        Assert.False(stopping.IsCompleted);
        client.Shutdown(SocketShutdown.Send);
        Assert.Empty(await client.ReceiveAllAsync());
        await stopping.WaitAsync(Patience.Limit);
        Assert.Equal(RelayState.Stopped, mesh.Outbound.ReadStatus().State);
    }

    [Fact]
    public async Task Stop_StreamsBehindTheDeadline_AreReset()
    {
        await using var mesh = new MeshPair(Server.Echo(), outbound: spec => spec with { Limits = spec.Limits with { DrainTimeout = TimeSpan.FromMilliseconds(50) } });
        using Socket client = await mesh.ConnectAsync();
        await EchoAsync(client, 1);
        await mesh.Outbound.StopAsync().WaitAsync(Patience.Limit);
        await client.AssertResetAsync();
        Assert.Equal(RelayReason.DrainDeadline, (await MeshPair.FirstAsync(mesh.OutboundRecords)).Reason);
    }

    [Fact]
    public async Task HandOver_SecondRelayAtTheSameAddress_TakesNewStreamsWhileTheFirstEndsItsOwn()
    {
        await using var mesh = new MeshPair(Server.Echo(), outbound: spec => spec with { HandOver = true });
        using Socket old = await mesh.ConnectAsync();
        await EchoAsync(old, 1);
        RelaySpec same = mesh.Outbound.Spec;
        await using var successor = new RelayServer(same with { Listeners = [same.Listeners[0] with { Listen = mesh.Outbound.AddressOf("out") }] });
        successor.Start();
        Task stopping = mesh.Outbound.StopAsync();
        while (successor.ReadStatus().Listeners[0].Accepted == 0)
        {
            // While both listen the kernel spreads new streams over the two; none is lost.
            using Socket fresh = await MeshPair.ConnectAsync(successor.AddressOf("out"));
            await EchoAsync(fresh, 2);
        }

        await EchoAsync(old, 3);
        old.Shutdown(SocketShutdown.Send);
        await old.ReceiveAllAsync();
        await stopping.WaitAsync(Patience.Limit);
    }

    private static bool IsRefused(MeshPair mesh)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(mesh.Outbound.AddressOf("out"));
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static void Refresh(MeshPair mesh)
    {
        mesh.Inbound.RefreshCertificates();
        mesh.Outbound.RefreshCertificates();
    }

    private static async Task EchoAsync(Socket client, byte value)
    {
        await client.SendAllAsync(new[] { value });
        Assert.Equal([value], await client.ReceiveAsync(1));
    }
}
