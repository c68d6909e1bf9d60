using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Mesh.Relay;

namespace Dataplane.Gateway.Mesh;

/// <summary>Reads the file of a relay.</summary>
internal static class RelayFile
{
    /// <exception cref="ConfigurationException">It has errors; all are in it, with file, line and column.</exception>
    public static RelaySpec Load(string path)
    {
        var found = new List<ConfigurationError>();
        if (ConfigurationFile.ReadTree(path, found) is not { } root)
            throw new ConfigurationException(found);
        (RelaySpec spec, IReadOnlyList<ConfigurationError> errors) = RelaySpecReader.Read(root, found);
        return errors.Count == 0 ? spec : throw new ConfigurationException(errors);
    }
}
