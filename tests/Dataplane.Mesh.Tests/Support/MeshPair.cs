using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Dataplane.Mesh.Authorization;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Relay;

namespace Dataplane.Mesh.Tests.Support;

/// <summary>Two relays with a server behind them: client, outbound relay, mutual TLS, inbound relay, server.</summary>
internal sealed class MeshPair : IAsyncDisposable
{
    internal const string WebPath = "ns/shop/sa/web", ClientPath = "ns/shop/sa/client";

    /// <summary>A thousand handshakes on a busy machine take their time.</summary>
    private static readonly RelayLimits s_limits = new() { HandshakeTimeout = Patience.Limit, ConnectTimeout = Patience.Limit };

    private readonly Server _server;

    internal MeshPair(Server server, Func<RelaySpec, RelaySpec>? outbound = null, Func<RelaySpec, RelaySpec>? inbound = null, TrustDomain? domain = null)
    {
        _server = server;
        Domain = domain ?? new TrustDomain();
        WebIdentity = Domain.Issue(WebPath);
        ClientIdentity = Domain.Issue(ClientPath);
        RelaySpec into = In(server.Address, WebIdentity);
        Inbound = new RelayServer(inbound?.Invoke(into) ?? into, InboundRecords.Enqueue, Log.Enqueue);
        Inbound.Start();
        RelaySpec outOf = Out(Inbound.AddressOf("in"), ClientIdentity);
        Outbound = new RelayServer(outbound?.Invoke(outOf) ?? outOf, OutboundRecords.Enqueue, Log.Enqueue);
        Outbound.Start();
    }

    internal TrustDomain Domain { get; }

    internal IdentitySpec WebIdentity { get; }

    internal IdentitySpec ClientIdentity { get; }

    internal RelayServer Outbound { get; }

    internal RelayServer Inbound { get; }

    internal ConcurrentQueue<AccessRecord> OutboundRecords { get; } = new();

    internal ConcurrentQueue<AccessRecord> InboundRecords { get; } = new();

    internal ConcurrentQueue<string> Log { get; } = new();

    internal static IPEndPoint Anywhere => new(IPAddress.Loopback, 0);

    internal static RelaySpec In(IPEndPoint to, IdentitySpec identity) => new()
    {
        Identity = identity,
        Limits = s_limits,
        Listeners = [new ListenerSpec { Name = "in", Kind = ListenerKind.Inbound, Listen = Anywhere, Routes = [To(to, UpstreamKind.Plain)] }],
    };

    internal static RelaySpec Out(IPEndPoint to, IdentitySpec identity) => new()
    {
        Identity = identity,
        Limits = s_limits,
        Listeners =
        [
            new ListenerSpec
            {
                Name = "out", Kind = ListenerKind.Outbound, Listen = Anywhere,
                Routes = [To(to, UpstreamKind.Mutual) with { Peers = [SpiffePattern.Parse($"spiffe://example.org/{WebPath}")], ServerName = "web.test" }],
            },
        ],
    };

    internal static RouteSpec To(IPEndPoint to, UpstreamKind connect) => new() { Endpoints = [new EndpointSpec { Address = to }], Connect = connect };

    /// <summary>A specification with other policies.</summary>
    internal static RelaySpec With(RelaySpec spec, params PolicySpec[] policies) => spec with { Authorization = new AuthorizationSpec { Policies = policies } };

    internal Task<Socket> ConnectAsync() => ConnectAsync(Outbound.AddressOf("out"));

    internal static async Task<Socket> ConnectAsync(IPEndPoint address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address);
        return socket;
    }

    /// <summary>The first record of a queue, once it is there.</summary>
    internal static async Task<AccessRecord> FirstAsync(ConcurrentQueue<AccessRecord> records)
    {
        AccessRecord? record = null;
        await Patience.UntilAsync(() => records.TryPeek(out record), "a record");
        return record!;
    }

    public async ValueTask DisposeAsync()
    {
        await Outbound.DisposeAsync();
        await Inbound.DisposeAsync();
        await _server.DisposeAsync();
        Domain.Dispose();

        // Whatever a test did, every connection has an end, and the relay has no fault.
        foreach (ListenerStatus listener in Outbound.ReadStatus().Listeners.Concat(Inbound.ReadStatus().Listeners))
        {
            Assert.Equal(0, listener.Active);
            Assert.Equal(listener.Accepted, listener.Ends.Values.Sum());
            Assert.DoesNotContain("relay.internal_error", listener.Ends.Keys);
        }

        Assert.DoesNotContain(Log, line => line.Contains("fault", StringComparison.Ordinal));
    }
}
