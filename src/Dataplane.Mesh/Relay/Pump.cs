using System.Buffers;
using Dataplane.Mesh.Tls;

namespace Dataplane.Mesh.Relay;

/// <summary>Carries one direction of a connection from its first byte to its end.</summary>
internal static class Pump
{
    /// <summary>Pieces carried without a wait before others get their turn: this may run on a thread that also waits for the sockets of others.</summary>
    private const int TurnPieces = 16;

    /// <summary>Carries until the stream ends, and hands the end on.</summary>
    /// <param name="connection">Is told what was carried.</param>
    /// <param name="from">Where it comes from.</param>
    /// <param name="to">Where it goes.</param>
    /// <param name="isFromClient">Which direction it is.</param>
    /// <param name="isStrict">Whether a TLS stream that ends without its close_notify counts as cut off.</param>
    internal static async Task<RelayEnd> RunAsync(RelayConnection connection, Leg from, Leg to, bool isFromClient, bool isStrict)
    {
        RelaySide fromSide = isFromClient ? RelaySide.Client : RelaySide.Upstream, toSide = isFromClient ? RelaySide.Upstream : RelaySide.Client;
        RelaySide at = fromSide;
        int pieces = 0;
        byte[]? buffer = null;
        try
        {
            at = toSide;
            if (await from.SendAheadAsync(to).ConfigureAwait(false) is > 0 and int ahead)
                connection.Carried(isFromClient, ahead);
            while (true)
            {
                at = fromSide;

                // Who sends nothing but the begin of a record holds no more memory here than one takes.
                int room = from.Tls is not null && from.IsDrained ? Leg.RecordBytes : Leg.PieceBytes;
                ValueTask<int> waiting = from.WaitAsync();
                pieces = waiting.IsCompleted ? pieces : 0;
                await waiting.ConfigureAwait(false);
                if (++pieces == TurnPieces)
                {
                    pieces = 0;
                    await Task.Yield();
                }

                buffer = ArrayPool<byte>.Shared.Rent(room);
                int count = await from.ReadAsync(buffer).ConfigureAwait(false);
                at = toSide;
                if (count > 0)
                {
                    await to.WriteAsync(buffer.AsMemory(0, count)).ConfigureAwait(false);
                    connection.Carried(isFromClient, count);
                }

                ArrayPool<byte>.Shared.Return(buffer);
                buffer = null;
                if (count > 0)
                    continue;
                if (isStrict && from.IsTruncated)
                    return new RelayEnd(RelayReason.Truncated, fromSide, "the stream ended without close_notify");
                await to.EndSendingAsync().ConfigureAwait(false);
                return new RelayEnd(RelayReason.Completed, fromSide);
            }
        }
        catch (Exception error) when (TlsErrors.IsOfTheStream(error))
        {
            return TlsErrors.OfStream(error, at);
        }
        finally
        {
            if (buffer is not null)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
