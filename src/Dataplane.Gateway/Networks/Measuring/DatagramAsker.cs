using System.Net.Sockets;

namespace Dataplane.Gateway.Networks.Measuring;

/// <summary>Asks a <see cref="Responder"/> by UDP.</summary>
internal sealed class DatagramAsker(Socket socket, Responder responder) : IAsker
{
    private readonly byte[] _answer = new byte[sizeof(int)];

    public async Task AskAsync(int number)
    {
        if (!socket.Connected)
        {
            await socket.ConnectAsync(responder.Address, responder.DatagramPort).ConfigureAwait(false);
        }

        await socket.SendAsync(BitConverter.GetBytes(number)).ConfigureAwait(false);
    }

    public async Task HearAsync(int number, CancellationToken end)
    {
        do
        {
            await socket.ReceiveAsync(_answer, end).ConfigureAwait(false);
        }
        while (BitConverter.ToInt32(_answer) != number);
    }

    public void Dispose() => socket.Dispose();
}
