using System.Globalization;
using System.Reflection;

namespace Dataplane.Tests.Tidy;

/// <summary>Writes the public API of an assembly as lines: types in order, and below each its members in order.</summary>
internal static class PublicApi
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static IEnumerable<string> Describe(Assembly assembly)
    {
        yield return $"# {assembly.GetName().Name}";
        foreach (Type type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            yield return Header(type);
            foreach (string member in Members(type).Distinct().Order(StringComparer.Ordinal))
            {
                yield return "  " + member;
            }
        }
    }

    private static string Header(Type type)
    {
        string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : typeof(Delegate).IsAssignableFrom(type) ? "delegate"
            : type.IsAbstract && type.IsSealed ? "static class" : type.IsAbstract ? "abstract class" : "class";
        IEnumerable<string> bases = type.IsEnum || type.IsInterface || type.BaseType is null || type.BaseType == typeof(object)
            || type.BaseType == typeof(ValueType)
            ? []
            : [Name(type.BaseType)];
        string[] all = [.. bases, .. type.GetInterfaces().Where(contract => contract.IsVisible && !type.IsEnum).Select(Name).Order(StringComparer.Ordinal)];
        return $"{kind} {Name(type)}" + (all.Length == 0 ? "" : $" : {string.Join(", ", all)}");
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            return Enum.GetNames(type)
                .Select(name => string.Create(CultureInfo.InvariantCulture,
                    $"{name} = {Convert.ToInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture)}"));
        }

        return type.GetMembers(Declared).Select(member => member switch
        {
            ConstructorInfo { IsStatic: false } made when IsVisible(made) => $"new({Parameters(made)})",
            MethodInfo { IsSpecialName: false } method when IsVisible(method) =>
                $"{Static(method)}{Name(method.ReturnType)} {method.Name}{Generics(method)}({Parameters(method)})",
            MethodInfo { IsSpecialName: true } method when IsVisible(method) && method.Name.StartsWith("op_", StringComparison.Ordinal) =>
                $"static {Name(method.ReturnType)} {method.Name}({Parameters(method)})",
            PropertyInfo property when Accessors(property) is { Length: > 0 } accessors =>
                $"{Static(property.GetAccessors(true)[0])}{Name(property.PropertyType)} {property.Name} {{ {accessors} }}",
            FieldInfo field when field.IsPublic || field.IsFamily =>
                $"{(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{Name(field.FieldType)} {field.Name}",
            EventInfo happening when IsVisible(happening.AddMethod!) => $"event {Name(happening.EventHandlerType!)} {happening.Name}",
            _ => "",
        }).Where(line => line.Length > 0 && !line.Contains('<' + "Clone", StringComparison.Ordinal));
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Generics(MethodInfo method) => method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(Name))}>" : "";

    private static string Accessors(PropertyInfo property)
    {
        bool isInit = property.SetMethod?.ReturnParameter.GetRequiredCustomModifiers().Any(modifier => modifier.Name == "IsExternalInit") == true;
        string get = property.GetMethod is { } getter && IsVisible(getter) ? "get; " : "", set = property.SetMethod is { } setter && IsVisible(setter)
            ? isInit ? "init; " : "set; " : "";
        return (get + set).TrimEnd();
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(parameter =>
        $"{(parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? parameter.IsIn ? "in " : "ref " : "")}{Name(parameter.ParameterType)} {parameter.Name}"
        + (parameter.HasDefaultValue ? $" = {parameter.DefaultValue ?? "null"}" : "")));

    private static string Name(Type type)
    {
        if (type.IsByRef)
        {
            return Name(type.GetElementType()!);
        }

        if (type.IsArray)
        {
            return Name(type.GetElementType()!) + "[]";
        }

        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return Name(inner) + "?";
        }

        string? keyword = Type.GetTypeCode(type) switch
        {
            _ when type.IsEnum => null,
            TypeCode.Boolean => "bool",
            TypeCode.Byte => "byte",
            TypeCode.SByte => "sbyte",
            TypeCode.Int16 => "short",
            TypeCode.UInt16 => "ushort",
            TypeCode.Int32 => "int",
            TypeCode.UInt32 => "uint",
            TypeCode.Int64 => "long",
            TypeCode.UInt64 => "ulong",
            TypeCode.String => "string",
            TypeCode.Double => "double",
            TypeCode.Char => "char",
            _ => type == typeof(void) ? "void" : type == typeof(object) ? "object" : null,
        };
        if (keyword is not null || type.IsGenericParameter)
        {
            return keyword ?? type.Name;
        }

        string name = (type.FullName ?? $"{type.Namespace}.{type.Name}").Split('[')[0].Replace('+', '.');
        return type.IsGenericType ? $"{string.Join("", name.Split('`')[0])}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : name;
    }
}
