using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Dataplane.Mesh.Identity;
using Dataplane.Mesh.Tls;
using Dataplane.Ports;

namespace Dataplane.Mesh.Relay;

/// <summary>Connects to where a connection goes: chooses an endpoint, and another when one cannot be reached. Nothing of the application has been sent then.</summary>
internal sealed class UpstreamConnector(ListenerState state, Route route, Admission admission, ListenerCounters counters)
{
    /// <summary>Endpoints that are tried for one connection, at most.</summary>
    private const int MaxAttempts = 4;

    /// <summary>The side of the destination, once it stands.</summary>
    internal Leg? Leg { get; private set; }

    /// <summary>Where it was taken, or tried last.</summary>
    internal IPEndPoint? Address { get; private set; }

    /// <summary>Who the peer's relay is.</summary>
    internal SpiffeId? Peer { get; private set; }

    /// <summary>The endpoint that a connection was counted at; its owner must end the count.</summary>
    internal Endpoint? Counted { get; private set; }

    internal async Task<RelayEnd> RunAsync(CancellationToken stop)
    {
        var tried = new List<Endpoint>();
        var end = new RelayEnd(RelayReason.ConnectFailed, RelaySide.Upstream, "there is no endpoint");
        while (tried.Count < MaxAttempts && route.Pool.Take(tried, Environment.TickCount64) is { } endpoint)
        {
            tried.Add(endpoint);
            end = await TryAsync(endpoint, stop).ConfigureAwait(false);
            if (end.IsGood)
            {
                route.Pool.Note(endpoint, isConnected: true, Environment.TickCount64);
                Counted = endpoint;
                return end;
            }

            Leg?.Dispose();
            Leg = null;
            if (end.Side == RelaySide.Relay || stop.IsCancellationRequested)
            {
                // The endpoint is not to blame.
                endpoint.Closed();
                return end;
            }

            route.Pool.Note(endpoint, isConnected: false, Environment.TickCount64);
        }

        return end;
    }

    private async Task<RelayEnd> TryAsync(Endpoint endpoint, CancellationToken stop)
    {
        int port = endpoint.Spec.Port > 0 ? endpoint.Spec.Port : admission.Destination.Port;
        Address = endpoint.Spec.Address ?? new IPEndPoint(admission.Destination.Address, port);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(state.Limits.ConnectTimeout);
        var socket = new Socket(Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(Address, limit.Token).ConfigureAwait(false);
            Sockets.Prepare(socket);
        }
        catch (SocketException error)
        {
            socket.Dispose();
            return new RelayEnd(error.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => RelayReason.ConnectRefused,
                SocketError.TimedOut => RelayReason.ConnectTimeout,
                SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown => RelayReason.ConnectUnreachable,
                _ => RelayReason.ConnectFailed,
            }, RelaySide.Upstream, error.Message);
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            return new RelayEnd(RelayReason.ConnectTimeout, RelaySide.Upstream);
        }

        return await PrepareAsync(new TransportStream(socket), stop).ConfigureAwait(false);
    }

    /// <summary>Shakes hands and says who the client is, as the route wants it.</summary>
    private async Task<RelayEnd> PrepareAsync(TransportStream transport, CancellationToken stop)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(state.Limits.HandshakeTimeout);
        var end = new RelayEnd(RelayReason.Completed, RelaySide.Upstream);
        try
        {
            bool isInside = route.Spec.Connect == UpstreamKind.Mutual;
            byte[]? header = route.Spec.SendProxy
                ? new ProxyHeader(admission.Client, admission.Destination, admission.ServerName, admission.Identity?.Text ?? "").ToBytes()
                : null;
            if (header is not null && !isInside)
                await transport.WriteAsync(header, limit.Token).ConfigureAwait(false);
            if (route.Spec.Connect == UpstreamKind.Plain)
                Leg = new Leg(transport, null);
            else
                end = await SecureAsync(transport, limit.Token).ConfigureAwait(false);
            if (header is not null && isInside && end.IsGood)
                await Leg!.WriteAsync(header).ConfigureAwait(false);
            return end;
        }
        catch (OperationCanceledException)
        {
            transport.Dispose();
            return new RelayEnd(RelayReason.HandshakeTimeout, RelaySide.Upstream);
        }
        catch (Exception error) when (TlsErrors.IsOfTheStream(error))
        {
            transport.Dispose();
            return TlsErrors.OfStream(error, RelaySide.Upstream);
        }
    }

    private async Task<RelayEnd> SecureAsync(TransportStream transport, CancellationToken cancellation)
    {
        var judgement = new RelayEnd(RelayReason.Completed, RelaySide.Upstream);
        PeerJudge? judge = null;
        SslClientAuthenticationOptions options;
        if (route.Spec.Connect == UpstreamKind.Mutual)
        {
            IdentitySnapshot identity = state.Identity!.Current;
            if (identity.NotAfter <= TimeProvider.System.GetUtcNow())
            {
                transport.Dispose();
                return new RelayEnd(RelayReason.OwnCertificateExpired, RelaySide.Relay, $"{identity.Id} ended at {identity.NotAfter:u}");
            }

            judge = new PeerJudge(identity, route.Spec.Peers, RelaySide.Upstream);
            options = TlsSettings.MeshClient(identity, judge, route.Spec.ServerName);
        }
        else
        {
            options = TlsSettings.Outside(route.Authorities, route.Spec.ServerName, admission.Protocol);
            options.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            {
                judgement = OfOutside(certificate, chain, errors);
                return judgement.IsGood;
            };
        }

        return await HandshakeAsync(transport, options, () => judge?.Judgement ?? judgement, judge, cancellation).ConfigureAwait(false);
    }

    private async Task<RelayEnd> HandshakeAsync(TransportStream transport, SslClientAuthenticationOptions options, Func<RelayEnd> judgement,
        PeerJudge? judge, CancellationToken cancellation)
    {
        long begun = TimeProvider.System.GetTimestamp();
        var tls = new TlsStream(transport);
        Leg = new Leg(transport, tls);
        try
        {
            await tls.AuthenticateAsClientAsync(options, cancellation).ConfigureAwait(false);
        }
        catch (Exception error) when (error is AuthenticationException or IOException or InvalidOperationException or CryptographicException or SocketException)
        {
            return judgement() is { IsGood: false } refused ? refused : TlsErrors.OfHandshake(error, RelaySide.Upstream, isGreeted: true);
        }

        counters.Handshake(TimeProvider.System.GetElapsedTime(begun));
        Peer = judge?.Peer;
        return judgement();
    }

    private static RelayEnd OfOutside(System.Security.Cryptography.X509Certificates.X509Certificate? certificate,
        System.Security.Cryptography.X509Certificates.X509Chain? chain, SslPolicyErrors errors) => errors switch
        {
            SslPolicyErrors.None => new RelayEnd(RelayReason.Completed, RelaySide.Upstream),
            _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) => new RelayEnd(RelayReason.CertificateMissing, RelaySide.Upstream),
            _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) && chain is not null =>
                new RelayEnd(PeerJudge.ReasonOf(chain), RelaySide.Upstream, certificate?.Subject ?? ""),
            _ => new RelayEnd(RelayReason.IdentityWrong, RelaySide.Upstream, $"{certificate?.Subject} has not the name that is wanted"),
        };
}
