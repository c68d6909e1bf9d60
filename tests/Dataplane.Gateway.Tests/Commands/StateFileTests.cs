using Dataplane.Gateway.Commands;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Commands;

public sealed class StateFileTests
{
    [Fact]
    public async Task SaveAsync_WhereOthersCouldReadWhatWasThere_WritesAFileOfItsOwnersAlone()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("dpstate");
        try
        {
            string path = Path.Combine(folder.FullName, "state");
            const UnixFileMode Open = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
            foreach (string left in new[] { path, path + ".new" })
            {
                await File.WriteAllTextAsync(left, "left");
                File.SetUnixFileMode(left, Open);
            }

            await using DataplaneEngine engine = new DataplaneBuilder().Port("wan", PortSource.Memory(new MemoryPort())).Interface("wan", "198.51.100.1/24").Build();
            await engine.StartAsync();
            var said = new StringWriter();
            await using var file = new StateFile(path, engine, new LinePrinter(said));
            await file.SaveAsync();
            Assert.Equal("", said.ToString());
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
            Assert.False(File.Exists(path + ".new"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
